package dev.gossamer.bench.moe;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.router.RoutingSource;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What {@link MoeBench} measures.
 *
 * @param hidden width of the stream
 * @param experts routed experts of the fine-grained structure and of BigMac
 * @param topK experts per token, one case for each
 * @param inner inner width of a fine-grained expert
 * @param latent width at which BigMac's tokens travel
 * @param tokens of each rank
 * @param parallel the ways of the rows, and how many at a time
 * @param ranksPerNode neighbours that share a node, which ways between nodes and counts go by
 * @param routing who chooses the experts
 * @param record where rank 0 writes what was chosen, as a {@link
 *     dev.gossamer.moe.router.RoutingFile}; empty for nowhere
 * @param check whether the ranks' outputs and gradients are held against those of one rank
 * @param runs measurements of each structure
 */
public record MoeBenchSettings(
    int hidden,
    int experts,
    List<Integer> topK,
    int inner,
    int latent,
    int tokens,
    ParallelSettings parallel,
    int ranksPerNode,
    RoutingSource routing,
    Optional<Path> record,
    boolean check,
    int runs) {
  /** Width 512, 64 experts, top-8, 2,048 tokens a rank, a quarter of the width on the wire. */
  public static final MoeBenchSettings DEFAULT =
      new MoeBenchSettings(
          512,
          64,
          List.of(8),
          128,
          128,
          2048,
          ParallelSettings.DEFAULT,
          1,
          new RoutingSource.Balanced(),
          Optional.empty(),
          false,
          5);

  /**
   * @throws UsageException if there is nothing to measure
   */
  public MoeBenchSettings {
    topK = List.copyOf(topK);
    if (topK.isEmpty()) {
      throw new UsageException("There is nothing to measure without a top-k", "Name one or more");
    }
    requirePositive(tokens, "tokens");
    requirePositive(runs, "runs");
    requirePositive(ranksPerNode, "ranks per node");
    for (int top : topK) {
      cases(hidden, experts, top, inner, latent); // refuses what cannot be
      if ((long) tokens * top > Integer.MAX_VALUE) {
        throw new UsageException(
            "A rank cannot route " + tokens + " tokens to top-" + top,
            "Use at most " + Integer.MAX_VALUE / top + " tokens");
      }
    }
  }

  private static void requirePositive(int number, String what) {
    if (number < 1) {
      throw new UsageException(
          "There is nothing to measure with " + number + " " + what, "Use 1 or more");
    }
  }

  /** The structures at one top-k: the fine-grained one first, against which others stand. */
  List<MoeCase> cases(int top) {
    return cases(hidden, experts, top, inner, latent);
  }

  private static List<MoeCase> cases(int hidden, int experts, int top, int inner, int latent) {
    MoeStructure.FineGrained fine =
        new MoeStructure.FineGrained(hidden, experts, top, inner, ExpertBody.PLAIN);
    int granularity = Math.max(1, 4 * hidden / inner);
    int wide = Math.max(1, experts / granularity);
    int visited = Math.min(wide, top <= granularity ? 1 : 2);
    return List.of(
        new MoeCase(top, MoeBench.RIVAL, fine),
        new MoeCase(
            top,
            "bigmac",
            MatchedSettings.solve(fine, latent, MatchedSettings.Match.PARAMS, 32).matched()),
        new MoeCase(
            top,
            "vanilla",
            new MoeStructure.Vanilla(hidden, wide, visited, 4 * hidden, ExpertBody.PLAIN)));
  }

  /** The ranks as nodes, where the ways tell nodes apart; else as one. */
  RankGrid grid(Communicator world) {
    return parallel.dispatch() == Dispatch.FLAT
        ? RankGrid.flat(world)
        : RankGrid.of(world, ranksPerNode);
  }

  /** Type of the rows that travel. */
  DType wire() {
    return parallel.wire().orElse(DType.FLOAT32);
  }

  /** Another layer: top-k has to fit the number of experts, so both change at once. */
  public MoeBenchSettings withLayer(
      int width, int count, List<Integer> top, int innerWidth, int latentWidth) {
    return new MoeBenchSettings(
        width,
        count,
        top,
        innerWidth,
        latentWidth,
        tokens,
        parallel,
        ranksPerNode,
        routing,
        record,
        check,
        runs);
  }

  public MoeBenchSettings withTokens(int tokensPerRank) {
    return new MoeBenchSettings(
        hidden,
        experts,
        topK,
        inner,
        latent,
        tokensPerRank,
        parallel,
        ranksPerNode,
        routing,
        record,
        check,
        runs);
  }

  public MoeBenchSettings withRouting(RoutingSource source, Optional<Path> recordTo) {
    return new MoeBenchSettings(
        hidden,
        experts,
        topK,
        inner,
        latent,
        tokens,
        parallel,
        ranksPerNode,
        source,
        recordTo,
        check,
        runs);
  }

  public MoeBenchSettings withWay(ParallelSettings ways, int perNode) {
    return new MoeBenchSettings(
        hidden, experts, topK, inner, latent, tokens, ways, perNode, routing, record, check, runs);
  }

  public MoeBenchSettings withRuns(int count) {
    return new MoeBenchSettings(
        hidden,
        experts,
        topK,
        inner,
        latent,
        tokens,
        parallel,
        ranksPerNode,
        routing,
        record,
        check,
        count);
  }

  public MoeBenchSettings withCheck(boolean againstOneRank) {
    return new MoeBenchSettings(
        hidden,
        experts,
        topK,
        inner,
        latent,
        tokens,
        parallel,
        ranksPerNode,
        routing,
        record,
        againstOneRank,
        runs);
  }
}
