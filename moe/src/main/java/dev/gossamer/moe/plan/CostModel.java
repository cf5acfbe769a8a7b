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
  private static final int EXCHANGES_PER_PASS = 2;

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
    Exchange exchange = exchange(structure, group);
    int exchanges = EXCHANGES_PER_PASS * (train() ? 2 : 1) * model.layers();
    return new PlanRow(
        kind,
        structure,
        settings.dispatch(),
        group,
        new TransformerCount(model, structure),
        time(structure, group, exchange),
        MemoryNeed.of(model, structure, group, settings),
        (double) settings.microBatches() * exchanges * exchange.interBytes(),
        (double) settings.microBatches() * exchanges * exchange.intraBytes(),
        (double) settings.ranks() * settings.tokens() * settings.microBatches());
  }

  /** One all-to-all of a structure. */
  public Exchange exchange(MoeStructure structure, Placement group) {
    return Exchange.of(
        structure, group, cluster, settings, settings.imbalance() * settings.tokens());
  }

  private boolean train() {
    return settings.phase() == Phase.TRAIN;
  }

  private StepTime time(MoeStructure structure, Placement group, Exchange exchange) {
    TransformerCount count = new TransformerCount(model, structure);
    ClusterProfile.Compute compute = cluster.compute();
    ClusterProfile.Overhead overhead = cluster.overhead();
    int passes = settings.phase().passes();
    double batches = settings.microBatches();
    double tokens = settings.tokens();
    double part = passes / 3.0; // of what a layer takes beyond its operations, forward and backward
    double forward = expertSeconds(structure, group);
    double exposed = 0;
    double hidden = 0;
    // Backward takes twice as long as forward in the experts, and as long on the wire.
    for (int pass = 1; pass <= (train() ? 2 : 1); pass++) {
      double beside = hidden(exchange, pass * forward);
      exposed += onTheWire(exchange) - beside;
      hidden += beside;
    }
    double layers = batches * model.layers();
    boolean optimizer = train() && !overhead.holdsUpdate();
    double narrow =
        structure.projectionWeights() > 0 ? part * layers * overhead.projectionSeconds() : 0;
    return new StepTime(
        batches * passes * denseSeconds(count),
        layers * passes * forward,
        batches * passes * tokens * count.projectionFlops() / compute.dense() + narrow,
        layers * exposed,
        layers * hidden,
        train() ? allReduceSeconds(count, group) : 0,
        optimizer ? optimizerSeconds(count, group) : 0,
        part * layers * overhead.layerSeconds());
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
   * Seconds of the busiest rank's experts of one layer forward: operations, or reading the weights
   * of the experts that are touched if that takes longer.
   */
  private double expertSeconds(MoeStructure structure, Placement group) {
    double rows = settings.imbalance() * settings.tokens() * structure.topK();
    double here = Math.max(1, (double) structure.experts() / group.ranks());
    double products =
        2
            * rows
            * structure.weightsPerExpert()
            / cluster.compute().experts(rows / here / settings.chunks());
    double all = (double) settings.tokens() * group.ranks();
    double untouched = Math.pow(1 - (double) structure.topK() / structure.experts(), all);
    double weights =
        here * (1 - untouched) * structure.weightsPerExpert() * settings.wire().bytes();
    return Math.max(products, weights / cluster.compute().memoryBytesPerSecond());
  }

  /** Seconds of dispatch and combine; every chunk pays the latency again. */
  private double onTheWire(Exchange exchange) {
    return EXCHANGES_PER_PASS
        * (exchange.seconds() + (settings.chunks() - 1) * exchange.latencySeconds());
  }

  /** Of those, what runs beside experts: the shorter of the two but for one chunk. */
  private double hidden(Exchange exchange, double experts) {
    return (1 - 1.0 / settings.chunks()) * Math.min(onTheWire(exchange), experts);
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
