package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;

/**
 * The time of one step on one rank, from counts and the cluster's profile. All ranks are alike but
 * for the imbalance of routing, which slows experts and their all-to-all; nothing else overlaps
 * than experts with their own all-to-all, if asked for.
 */
public final class CostModel {
  // Adam reads master weight, two moments and a gradient, and writes three of them and the weight.
  private static final int OPTIMIZER_BYTES = 28;

  private final PlannedModel model;
  private final ClusterProfile cluster;
  private final PlanSettings settings;

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if the cluster cannot run it so
   */
  public CostModel(PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    settings.check(cluster);
    this.model = model;
    this.cluster = cluster;
    this.settings = settings;
  }

  /** What a structure costs. */
  public PlanRow row(StructureKind kind, MoeStructure structure) {
    Placement group = settings.group(structure.experts(), cluster);
    LayerCost layer = new LayerCost(structure, group, cluster, settings);
    Exchange exchange = layer.exchange();
    int exchanges = layer.exchanges() * model.layers();
    return new PlanRow(
        kind,
        structure,
        settings.dispatch(),
        group,
        new TransformerCount(model, structure),
        time(layer),
        MemoryNeed.of(model, structure, group, settings),
        (double) settings.microBatches() * exchanges * exchange.interBytes(),
        (double) settings.microBatches() * exchanges * exchange.intraBytes(),
        (double) settings.ranks() * settings.tokens() * settings.microBatches());
  }

  /** One all-to-all of a structure. */
  public Exchange exchange(MoeStructure structure, Placement group) {
    return new LayerCost(structure, group, cluster, settings).exchange();
  }

  private boolean train() {
    return settings.phase() == Phase.TRAIN;
  }

  private StepTime time(LayerCost layer) {
    TransformerCount count = new TransformerCount(model, layer.structure());
    ClusterProfile.Overhead overhead = cluster.overhead();
    int passes = settings.phase().passes();
    double batches = settings.microBatches();
    double part = passes / 3.0; // of what a layer takes beyond its operations, forward and backward
    double layers = batches * model.layers();
    boolean optimizer = train() && !overhead.holdsUpdate();
    return new StepTime(
        batches * passes * denseSeconds(count),
        layers * layer.experts(),
        layers * layer.projections(),
        layers * layer.exposed(),
        layers * layer.hidden(),
        train() ? allReduceSeconds(count, layer.group()) : 0,
        optimizer ? optimizerSeconds(count, layer.group()) : 0,
        layers * (part * overhead.layerSeconds() + layer.handling()));
  }

  /**
   * Seconds of what all ranks hold, forward: operations, or reading the weights if that is longer.
   */
  private double denseSeconds(TransformerCount count) {
    ClusterProfile.Compute compute = cluster.compute();
    return Math.max(
        settings.tokens() * count.denseFlops() / compute.dense(),
        (double) count.sharedParameters()
            * settings.wire().bytes()
            / compute.memoryBytesPerSecond());
  }

  /**
   * A ring over all ranks for what all hold, unless the profile's overhead has it, and rings of
   * replicas for experts, one after the other.
   */
  private double allReduceSeconds(TransformerCount count, Placement group) {
    double shared = (double) count.sharedParameters() * settings.wire().bytes();
    double experts = (double) count.expertParameters() / group.ranks() * settings.wire().bytes();
    int replicas = settings.ranks() / group.ranks();
    // The rings of all ranks of a node, or of a group if that is smaller, share the node's link.
    int rings = Math.min(cluster.ranksPerNode(), group.ranks());
    return (cluster.overhead().holdsUpdate() ? 0 : ring(settings.ranks(), shared, 1))
        + ring(replicas, experts, rings);
  }

  private double ring(int members, double bytes, int rings) {
    double rounds = 2.0 * (members - 1) / members;
    double local = rounds * bytes / cluster.localLink().bytesPerSecond();
    if (settings.ranks() <= cluster.ranksPerNode()) {
      return local;
    }
    double node = rounds * rings * bytes / cluster.nodeLink().orElseThrow().bytesPerSecond();
    return Math.max(local, node);
  }

  private double optimizerSeconds(TransformerCount count, Placement group) {
    boolean sharded = settings.optimizer() == PlanSettings.Optimizer.SHARDED;
    double shared = (double) count.sharedParameters() / (sharded ? settings.ranks() : 1);
    int replicas = settings.ranks() / group.ranks();
    double experts = (double) count.expertParameters() / group.ranks() / (sharded ? replicas : 1);
    return OPTIMIZER_BYTES * (shared + experts) / cluster.compute().memoryBytesPerSecond();
  }
}
