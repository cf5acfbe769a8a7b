package dev.gossamer.moe.plan;

import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.Words;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How a model is to run on a cluster.
 *
 * @param phase training or forward alone
 * @param ranks all ranks, {@code N}
 * @param expertParallel ranks that share one set of experts, {@code P}; a structure with fewer
 *     experts uses fewer
 * @param tokens of one rank in one micro-batch, {@code T}
 * @param microBatches micro-batches of a step, {@code mu}
 * @param dispatch how rows travel
 * @param chunks pieces into which tokens are cut so that communication and experts overlap, {@code
 *     C}; 1 for no overlap
 * @param wire type of what travels
 * @param imbalance rows of the busiest expert rank over the mean, or the capacity factor, {@code
 *     lambda}
 * @param activations whether inner activations are kept or made again
 * @param optimizer whether each rank keeps all of its optimiser state or a share
 */
public record PlanSettings(
    Phase phase,
    int ranks,
    int expertParallel,
    int tokens,
    int microBatches,
    Dispatch dispatch,
    int chunks,
    DType wire,
    double imbalance,
    Activations activations,
    Optimizer optimizer) {
  private static final int TOKENS = 4096;

  /** What happens to the output of an expert's activation function until the backward pass. */
  public enum Activations {
    KEPT,
    RECOMPUTED
  }

  /** Where master weights and moments are. */
  public enum Optimizer {
    REPLICATED,
    SHARDED
  }

  public PlanSettings {
    require(ranks >= 1, ranks + " ranks", "Use 1 or more");
    require(
        expertParallel >= 1 && ranks % expertParallel == 0,
        expertParallel + " of " + ranks + " ranks sharing experts",
        "Use a divisor of " + ranks);
    require(tokens >= 1, tokens + " tokens per rank", "Use 1 or more");
    require(microBatches >= 1, microBatches + " micro-batches", "Use 1 or more");
    require(chunks >= 1 && chunks <= tokens, chunks + " chunks", "Use 1 to the tokens per rank");
    require(wire.isFloating(), "the wire type " + wire, "Use fp32, bf16 or fp16");
    require(
        imbalance >= 1 && Double.isFinite(imbalance), "an imbalance of " + imbalance, "Use 1 up");
  }

  /** The cluster's usual ranks, 4,096 tokens each, flat all-to-all without overlap, training. */
  public static PlanSettings of(PlannedModel model, ClusterProfile cluster) {
    return new PlanSettings(
            Phase.TRAIN,
            1,
            1,
            TOKENS,
            1,
            Dispatch.FLAT,
            1,
            cluster.wire(),
            1,
            Activations.RECOMPUTED,
            Optimizer.REPLICATED)
        .withRanks(cluster.ranks(), model, cluster);
  }

  /** So many ranks, and as many of them sharing experts as there are experts to share. */
  public PlanSettings withRanks(int newRanks, PlannedModel model, ClusterProfile cluster) {
    return withRanks(newRanks, model.experts().experts(), cluster);
  }

  /**
   * @param most ranks that may share a set of experts
   */
  PlanSettings withRanks(int newRanks, int most, ClusterProfile cluster) {
    require(newRanks >= 1, newRanks + " ranks", "Use 1 or more");
    checkNodes(newRanks, cluster);
    return with(newRanks, largestGroup(newRanks, newRanks, most, cluster));
  }

  public PlanSettings withExpertParallel(int newExpertParallel) {
    return with(ranks, newExpertParallel);
  }

  private PlanSettings with(int newRanks, int newExpertParallel) {
    return new PlanSettings(
        phase,
        newRanks,
        newExpertParallel,
        tokens,
        microBatches,
        dispatch,
        chunks,
        wire,
        imbalance,
        activations,
        optimizer);
  }

  public PlanSettings withDispatch(Dispatch newDispatch) {
    return new PlanSettings(
        phase,
        ranks,
        expertParallel,
        tokens,
        microBatches,
        newDispatch,
        chunks,
        wire,
        imbalance,
        activations,
        optimizer);
  }

  public PlanSettings withActivations(Activations newActivations) {
    return new PlanSettings(
        phase,
        ranks,
        expertParallel,
        tokens,
        microBatches,
        dispatch,
        chunks,
        wire,
        imbalance,
        newActivations,
        optimizer);
  }

  /** Where the ranks are that share one set of so many experts. */
  public Placement group(int experts, ClusterProfile cluster) {
    int size = largestGroup(expertParallel, ranks, experts, cluster);
    return new Placement(size, Math.min(size, cluster.ranksPerNode()));
  }

  /**
   * @throws UsageException if the cluster cannot hold the ranks, or a group would straddle nodes
   */
  void check(ClusterProfile cluster) {
    checkNodes(ranks, cluster);
    require(
        fillsNodes(expertParallel, ranks, cluster),
        expertParallel + " ranks sharing experts, with " + cluster.ranksPerNode() + " per node",
        "Use a multiple or a divisor of the ranks per node");
  }

  private static void checkNodes(int ranks, ClusterProfile cluster) {
    int perNode = cluster.ranksPerNode();
    require(
        ranks <= perNode || ranks % perNode == 0,
        ranks + " ranks, with " + perNode + " per node",
        "Use a multiple of " + perNode);
    require(
        ranks <= perNode || cluster.nodeLink().isPresent(),
        ranks + " ranks: " + cluster.name() + " is one node of " + perNode,
        "Use at most " + perNode + ", or a cluster with a nodeLink");
  }

  /**
   * The largest divisor of {@code most} that is not above the experts and does not straddle nodes.
   */
  private static int largestGroup(int most, int ranks, int experts, ClusterProfile cluster) {
    for (int size = Math.min(most, experts); size > 1; size--) {
      if (most % size == 0 && fillsNodes(size, ranks, cluster)) {
        return size;
      }
    }
    return 1;
  }

  private static boolean fillsNodes(int size, int ranks, ClusterProfile cluster) {
    int perNode = cluster.ranksPerNode();
    return ranks <= perNode || (size <= perNode ? perNode % size == 0 : size % perNode == 0);
  }

  /** As a JSON document. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("phase", Words.of(phase));
    document.put("ranks", ranks);
    document.put("expertParallel", expertParallel);
    document.put("tokensPerRank", tokens);
    document.put("microBatches", microBatches);
    document.put("dispatch", Words.of(dispatch));
    document.put("chunks", chunks);
    document.put("wire", wire.optionName());
    document.put("imbalance", imbalance);
    document.put("activations", Words.of(activations));
    document.put("optimizer", Words.of(optimizer));
    return document;
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No plan has " + found, remedy);
    }
  }
}
