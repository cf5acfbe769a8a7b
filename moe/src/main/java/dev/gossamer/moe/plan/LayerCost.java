package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;

/**
 * The time of one mixture-of-experts layer on one rank for one micro-batch, seconds.
 *
 * @param structure its shape
 * @param group the ranks that share its experts
 * @param cluster what they can do
 * @param settings how they are used
 */
public record LayerCost(
    MoeStructure structure, Placement group, ClusterProfile cluster, PlanSettings settings) {
  private static final int EXCHANGES_PER_PASS = 2;

  /** The gate's products, and what the router does with its scores. */
  public double route() {
    return gate() + part() * routing();
  }

  private double gate() {
    double flops = 2.0 * settings.tokens() * structure.gateWeights();
    return passes() * flops / cluster.compute().dense();
  }

  private double routing() {
    Handling handling = cluster.handling();
    return settings.tokens()
        * (handling.scoreSeconds() * structure.experts()
            + handling.tokenSeconds() * structure.hidden());
  }

  /** BigMac's descent and ascent. */
  public double projections() {
    if (structure.projectionWeights() == 0) {
      return 0;
    }
    double flops = 2.0 * settings.tokens() * structure.projectionWeights();
    return passes() * flops / cluster.compute().dense()
        + part() * cluster.overhead().projectionSeconds();
  }

  /** Rows into the order of leaving, of experts, of slots, and their weighted sum. */
  public double moves() {
    return part() * movesOfTraining();
  }

  private double movesOfTraining() {
    Handling handling = cluster.handling();
    return rows() * (handling.rowSeconds() + handling.rowElementSeconds() * structure.wireWidth());
  }

  /** Everything that only a calibrated profile knows of, beside experts. */
  double handling() {
    return part() * (routing() + movesOfTraining());
  }

  /**
   * Of the busiest rank's experts: operations, or reading the weights of the experts that are
   * touched if that takes longer, and what an expert costs beside, once for every chunk.
   */
  public double experts() {
    return passes() * expertsForward();
  }

  private double expertsForward() {
    double here = Math.max(1, (double) structure.experts() / group.ranks());
    double products =
        2
            * rows()
            * structure.weightsPerExpert()
            / cluster.compute().experts(rows() / here / settings.chunks());
    double all = (double) settings.tokens() * group.ranks();
    double untouched = Math.pow(1 - (double) structure.topK() / structure.experts(), all);
    double weights =
        here * (1 - untouched) * structure.weightsPerExpert() * settings.wire().bytes();
    double beside =
        here
            * (1 - untouched)
            * settings.chunks()
            * cluster.handling().expertSeconds()
            / Phase.TRAIN.passes();
    return Math.max(products, weights / cluster.compute().memoryBytesPerSecond()) + beside;
  }

  /** Rows that the busiest rank's experts take. */
  private double rows() {
    return settings.imbalance() * settings.tokens() * structure.topK();
  }

  /** One all-to-all. */
  public Exchange exchange() {
    return Exchange.of(
        structure, group, cluster, settings, settings.imbalance() * settings.tokens());
  }

  /** All-to-alls of the layer. */
  int exchanges() {
    return EXCHANGES_PER_PASS * directions();
  }

  /** Waiting for other ranks, their rows and counts; what runs beside experts left out. */
  public double exposed() {
    if (group.ranks() == 1) {
      return 0;
    }
    Handling handling = cluster.handling();
    double waiting = handling.waitShare() * (route() + projections() + moves() + experts());
    return directions() * onTheWire() - hidden() + handling.countSeconds() + waiting;
  }

  /**
   * All-to-all that runs beside experts: the shorter of the two but for one chunk. Backward takes
   * twice as long as forward in the experts, and as long on the wire.
   */
  public double hidden() {
    double hidden = 0;
    for (int direction = 1; direction <= directions(); direction++) {
      double experts = direction * expertsForward();
      hidden += (1 - 1.0 / settings.chunks()) * Math.min(onTheWire(), experts);
    }
    return hidden;
  }

  /** Dispatch and combine; every chunk pays the latency again. */
  private double onTheWire() {
    Exchange exchange = exchange();
    return EXCHANGES_PER_PASS
        * (exchange.seconds() + (settings.chunks() - 1) * exchange.latencySeconds());
  }

  private int directions() {
    return settings.phase() == Phase.TRAIN ? 2 : 1;
  }

  private int passes() {
    return settings.phase().passes();
  }

  /** Of what takes its time in forward and backward together. */
  private double part() {
    return (double) passes() / Phase.TRAIN.passes();
  }
}
