package dev.gossamer.bench.calibration;

import dev.gossamer.bench.Ranks;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.plan.LeastSquares;
import dev.gossamer.moe.plan.Link;
import java.util.ArrayList;
import java.util.List;

/**
 * The link that explains exchanges best, together with how long ranks wait for slower ones.
 *
 * @param link of one level
 * @param waitShare waiting as a share of what a layer computes
 */
record LinkFit(Link link, double waitShare) {
  private static final int EXCHANGES = 4; // of a layer, forward and backward
  private static final double CLEARLY_BETTER = 0.8;

  /** Some exchanges and the computing between them. */
  private record Point(
      double exchanges, double messages, double bytes, double computed, double seconds) {}

  /**
   * From exchanges alone and those of layers, if any, which begin when the slowest rank is ready.
   *
   * @param ranks whose level this is: between nodes, or inside the one that there is
   * @param countSeconds that are no part of it
   */
  static LinkFit of(
      List<LinkSample> samples, List<LayerSample> layers, Ranks ranks, double countSeconds) {
    List<Point> points = new ArrayList<>();
    for (LinkSample one : samples) {
      points.add(new Point(1, one.messages(), one.linkBytes(), 0, one.seconds()));
    }
    double messages = samples.get(0).messages();
    for (LayerSample layer : layers) {
      double whole = layer.seconds(Phase.EXCHANGE);
      points.add(
          new Point(
              EXCHANGES,
              EXCHANGES * messages,
              layer.linkBytes(ranks),
              layer.computeSeconds(),
              Math.max(whole - countSeconds, 0.1 * whole)));
    }
    return fit(points);
  }

  /** With the burst of those tried that explains the points best, none if that is as good. */
  private static LinkFit fit(List<Point> points) {
    LeastSquares.Fit best = fit(points, 0);
    double burst = 0;
    for (Point point : points) {
      LeastSquares.Fit one = fit(points, point.bytes());
      boolean carries = one.costs()[1] > 0; // a burst of everything explains nothing
      if (carries && one.error() < (burst == 0 ? CLEARLY_BETTER : 1) * best.error()) {
        best = one;
        burst = point.bytes();
      }
    }
    double rate = best.costs()[1] > 0 ? 1 / best.costs()[1] : 1e15;
    return new LinkFit(new Link(Math.min(best.costs()[0], 0.99), rate, burst), best.costs()[2]);
  }

  private static LeastSquares.Fit fit(List<Point> points, double burst) {
    double[][] amounts = new double[points.size()][];
    double[] seconds = new double[points.size()];
    for (int i = 0; i < seconds.length; i++) {
      Point point = points.get(i);
      double beyond = point.exchanges() * Math.max(0, point.bytes() - burst);
      amounts[i] = new double[] {point.messages(), beyond, point.computed()};
      seconds[i] = point.seconds();
    }
    return LeastSquares.fit(amounts, seconds);
  }
}
