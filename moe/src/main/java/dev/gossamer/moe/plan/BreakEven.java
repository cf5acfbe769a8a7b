package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;

/**
 * The link at which BigMac's step takes as long as the fine-grained one; on a faster one it does
 * not pay. Bytes per second of one rank, over its share of the node's link if there are several
 * nodes.
 *
 * @param formula saved bytes over added seconds, both per token and layer; infinite if nothing is
 *     added. For flat all-to-all and experts of equal weights this is {@code k B (1-r) phi F / (3 r
 *     h)}, with whatever the profile adds to projections in the denominator
 * @param simulated where the cost model, with latency, overlap and the rest, finds it; infinite if
 *     BigMac pays on any link, 0 if on none
 * @param available what the cluster has
 * @param between whether the link is the one between nodes
 */
public record BreakEven(double formula, double simulated, double available, boolean between) {
  private static final double SLOWEST = 1e-9;
  private static final double FASTEST = 1e9;
  private static final int HALVINGS = 100;

  static BreakEven of(
      PlannedModel model,
      ClusterProfile cluster,
      PlanSettings settings,
      MoeStructure fineGrained,
      MoeStructure bigMac) {
    Placement group = settings.group(fineGrained.experts(), cluster);
    double available =
        group.nodes() > 1
            ? cluster.nodeLink().orElseThrow().bytesPerSecond() / group.perNode()
            : cluster.localLink().bytesPerSecond();
    return new BreakEven(
        formula(model, cluster, settings, fineGrained, bigMac),
        available * crossing(model, cluster, settings, group, fineGrained, bigMac),
        available,
        group.nodes() > 1);
  }

  private static double formula(
      PlannedModel model,
      ClusterProfile cluster,
      PlanSettings settings,
      MoeStructure fineGrained,
      MoeStructure bigMac) {
    int passes = settings.phase().passes();
    int exchanges = settings.phase() == Phase.TRAIN ? 4 : 2;
    ClusterProfile.Compute compute = cluster.compute();
    double saved =
        exchanges
            * settings.imbalance()
            * settings.wire().bytes()
            * (elements(cluster, settings, fineGrained) - elements(cluster, settings, bigMac));
    double rows = settings.imbalance() * settings.tokens();
    double projections = 2.0 * bigMac.projectionWeights() / compute.dense();
    double experts =
        2
            * (perRow(compute, settings, cluster, bigMac, rows)
                - perRow(compute, settings, cluster, fineGrained, rows));
    double beyond = passes / 3.0 * cluster.overhead().projectionSeconds() / settings.tokens();
    double added = passes * (projections + experts) + beyond;
    return added <= 0 ? Double.POSITIVE_INFINITY : saved / added;
  }

  /** Seconds of a token's experts over two. */
  private static double perRow(
      ClusterProfile.Compute compute,
      PlanSettings settings,
      ClusterProfile cluster,
      MoeStructure structure,
      double tokens) {
    double here =
        Math.max(
            1, (double) structure.experts() / settings.group(structure.experts(), cluster).ranks());
    double rows = tokens * structure.topK() / here / settings.chunks();
    return settings.imbalance()
        * structure.topK()
        * structure.weightsPerExpert()
        / compute.experts(rows);
  }

  /** Numbers of one token that cross the link in question in one all-to-all. */
  private static double elements(
      ClusterProfile cluster, PlanSettings settings, MoeStructure structure) {
    Placement group = settings.group(structure.experts(), cluster);
    WireTraffic traffic = WireTraffic.of(group, settings.dispatch(), structure);
    return structure.wireWidth()
        * (group.nodes() > 1 ? traffic.interRowsPerToken() : traffic.intraRowsPerToken());
  }

  /** How much faster than now the link must be for both to take as long. */
  private static double crossing(
      PlannedModel model,
      ClusterProfile cluster,
      PlanSettings settings,
      Placement group,
      MoeStructure fineGrained,
      MoeStructure bigMac) {
    if (gain(model, cluster.withFasterLink(group, FASTEST), settings, fineGrained, bigMac) > 0) {
      return Double.POSITIVE_INFINITY;
    }
    if (gain(model, cluster.withFasterLink(group, SLOWEST), settings, fineGrained, bigMac) <= 0) {
      return 0;
    }
    double low = Math.log(SLOWEST);
    double high = Math.log(FASTEST);
    for (int i = 0; i < HALVINGS; i++) {
      double middle = (low + high) / 2;
      ClusterProfile there = cluster.withFasterLink(group, Math.exp(middle));
      if (gain(model, there, settings, fineGrained, bigMac) > 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return Math.exp(low);
  }

  /** Seconds that BigMac saves in a step. */
  private static double gain(
      PlannedModel model,
      ClusterProfile cluster,
      PlanSettings settings,
      MoeStructure fineGrained,
      MoeStructure bigMac) {
    CostModel cost = new CostModel(model, cluster, settings);
    return cost.row(StructureKind.FINE_GRAINED, fineGrained).time().total()
        - cost.row(StructureKind.BIGMAC, bigMac).time().total();
  }
}
