package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Attention of every query to every key cluster, each cluster seen as one point: two large products
 * for a whole head. It serves twice. Its weights say how much each query wants each cluster; and
 * less what a group selects, it is the tail, of which each query then needs only its weight and its
 * output ({@link Rest}). So the points need not be multiplied again with each group's keys.
 *
 * <p>Weights are kept for that second use if they are few enough; else they are computed again.
 * Tensors belong to the scope in which it is made.
 */
public final class CoarseAttention {
  private static final long MOST_KEPT = 1L << 24;
  private static final int STRIP = 512; // the weights of a strip stay in the second-level cache
  private static final double LEAST = 1e-30;

  private final Operands operands;
  private final ClusterTail points;
  private final int tokens;
  private final Tensor logSums; // float32 [tokens, 1]: logarithm of a query's sum over all points
  private final Tensor weights; // float32 [tokens, clusters], or null if there are too many
  private boolean spent;

  public CoarseAttention(Operands operands, ClusterTail points) {
    this.operands = operands;
    this.points = points;
    this.tokens = (int) operands.queries().size(0);
    this.logSums = Tensor.empty(DType.FLOAT32, tokens, 1);
    boolean keep = (long) tokens * points.clusters() <= MOST_KEPT;
    this.weights = keep ? Tensor.empty(DType.FLOAT32, tokens, points.clusters()) : null;
    for (int from = 0; keep && from < tokens; from += STRIP) {
      int rows = Math.min(STRIP, tokens - from);
      weigh(from, rows, weights.narrow(0, from, rows));
    }
  }

  /** Writes the softmax of a strip of queries over all points. */
  private void weigh(int from, int rows, Tensor out) {
    try (Scope scope = Scope.open()) {
      Tensor queries = operands.queries().narrow(0, from, rows);
      Tensor pointsAcross = points.keys().transpose(0, 1);
      if (operands.queries().dtype() == DType.FLOAT32) {
        Tensor.matmulInto(out, queries, pointsAcross);
      } else {
        out.copyFrom(queries.matmul(pointsAcross));
      }
      // A row's largest weight is exp(largest logit) / sum: that gives the sum without another
      // pass.
      Tensor largest = out.amax(true, 1);
      Tensor.softmaxInto(out, out, -1);
      logSums.narrow(0, from, rows).copyFrom(largest.sub(out.amax(true, 1).log()));
    }
  }

  /**
   * Share of each query's attention that each point gets, float32 {@code [tokens, clusters]}; empty
   * if there are too many to keep. Not to be read after {@link #without}.
   */
  public Optional<Tensor> weights() {
    return Optional.ofNullable(weights);
  }

  /**
   * What each query's attention to the points of clusters that its group did not select comes to.
   *
   * @param logSums float32 {@code [tokens, 1]}: logarithm of the sum over all points
   * @param sums float32 {@code [tokens, 1]}: share of that sum that the unselected ones have
   * @param values float32 {@code [tokens, headDim]}: their values, weighted by those shares
   */
  public record Rest(Tensor logSums, Tensor sums, Tensor values) {}

  /** Takes the selected clusters out; once only, since the weights are used up. */
  public Rest without(QueryGroups groups, KeySelection selection) {
    if (spent) {
      throw new IllegalStateException("The weights are used up");
    }
    spent = true;
    int headDim = operands.headDim();
    Tensor sums = Tensor.empty(DType.FLOAT32, tokens, 1);
    Tensor values = Tensor.empty(DType.FLOAT32, tokens, headDim);
    int group = 0;
    for (int from = 0; from < tokens; from += STRIP) {
      int rows = Math.min(STRIP, tokens - from);
      try (Scope scope = Scope.open()) {
        Tensor strip;
        if (weights == null) {
          strip = Tensor.empty(DType.FLOAT32, rows, points.clusters());
          weigh(from, rows, strip);
        } else {
          strip = weights.narrow(0, from, rows);
        }
        group = hide(strip.memory(), from, rows, group, groups, selection);
        sums.narrow(0, from, rows).copyFrom(strip.sum(true, 1));
        values
            .narrow(0, from, rows)
            .copyFrom(strip.to(points.values().dtype()).matmul(points.values()));
      }
    }
    sums.clampInPlace(LEAST, Double.POSITIVE_INFINITY);
    return new Rest(logSums, sums, values);
  }

  /**
   * @param group of the strip's first query, or one before it
   * @return group of its last query
   */
  private int hide(
      ByteBuffer strip, int from, int rows, int group, QueryGroups groups, KeySelection selection) {
    int rowBytes = points.clusters() * Float.BYTES;
    int at = group;
    for (int row = 0; row < rows; row++) {
      while (groups.start(at + 1) <= from + row) {
        at++;
      }
      for (int chosen = selection.start(at); chosen < selection.end(at); chosen++) {
        strip.putFloat(row * rowBytes + selection.cluster(chosen) * Float.BYTES, 0);
      }
    }
    return at;
  }
}
