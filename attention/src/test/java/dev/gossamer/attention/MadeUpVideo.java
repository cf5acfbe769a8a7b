package dev.gossamer.attention;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Queries, keys and values of a video that never was: the same for the same step, layer and branch,
 * different for others, moving a little from step to step. Queries and keys come in groups of
 * neighbours, so that a selection matters. Tensors belong to the current scope.
 *
 * @param noise spread of keys around their group, from about 0.1 (compact) to 1 (dispersed)
 */
public record MadeUpVideo(
    TokenGrid grid, int heads, int headDim, int layers, int branches, int steps, double noise) {

  /** Video tokens only, in one frame. */
  public static MadeUpVideo of(int tokens, int heads, int layers, int branches, int steps) {
    return new MadeUpVideo(TokenGrid.video(1, 1, tokens), heads, 64, layers, branches, steps, 0.6);
  }

  public AttentionPlan plan() {
    return plan(0, Set.of(), false);
  }

  public AttentionPlan plan(long seed, Set<Integer> explained, boolean measureRecall) {
    return new AttentionPlan(
        layers, branches, steps, grid, seed, explained, measureRecall ? AttentionPlan.FEW_ROWS : 0);
  }

  public double[][] query(int step, int layer, int branch, int head) {
    return moving(seed(layer, branch, head), 1.5, 0.8, step);
  }

  public double[][] key(int step, int layer, int branch, int head) {
    return moving(seed(layer, branch, head) + 100, 1, noise, step);
  }

  public double[][] value(int step, int layer, int branch, int head) {
    return moving(seed(layer, branch, head) + 200, 0.5, 1, step);
  }

  private static long seed(int layer, int branch, int head) {
    return 1000L * layer + 100_000L * branch + 10_000_000L * head;
  }

  private double[][] moving(long seed, double centre, double noise, int step) {
    int groups = Math.max(1, grid.tokens() / 40);
    double[][] start = Tokens.grouped(seed, grid.tokens(), headDim, groups, centre, noise);
    return step == 0
        ? start
        : Tokens.moved(start, 0.1 * step, Tokens.normal(seed + 7, grid.tokens(), headDim));
  }

  public Tensor queries(DType dtype, int step, int layer, int branch) {
    return stacked(dtype, head -> query(step, layer, branch, head));
  }

  public Tensor keys(DType dtype, int step, int layer, int branch) {
    return stacked(dtype, head -> key(step, layer, branch, head));
  }

  public Tensor values(DType dtype, int step, int layer, int branch) {
    return stacked(dtype, head -> value(step, layer, branch, head));
  }

  private Tensor stacked(DType dtype, java.util.function.IntFunction<double[][]> of) {
    return Tokens.heads(dtype, IntStream.range(0, heads).mapToObj(of).toArray(double[][][]::new));
  }

  /** {@code [1, heads, tokens, headDim]} of one call. */
  public Tensor attend(AttentionSession session, DType dtype, int step, int layer, int branch) {
    return session
        .attention(layer, branch)
        .attend(
            queries(dtype, step, layer, branch),
            keys(dtype, step, layer, branch),
            values(dtype, step, layer, branch),
            step);
  }

  /** Exact attention of one head by the oracle, on the numbers that the type holds. */
  public double[][] dense(DType dtype, int step, int layer, int branch, int head) {
    return PlainAttention.dense(
        Tokens.rounded(query(step, layer, branch, head), dtype),
        Tokens.rounded(key(step, layer, branch, head), dtype),
        Tokens.rounded(value(step, layer, branch, head), dtype));
  }
}
