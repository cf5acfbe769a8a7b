package dev.gossamer.bench.calibration;

import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.plan.LeastSquares;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * What layer samples say of a rank, each figure the one with which the samples' times come out
 * best. Seconds are those of forward and backward together.
 *
 * @param expertFlops operations per second of experts that have many rows
 * @param halfRows rows at which an expert reaches half of that
 * @param expertSeconds of an expert beside
 * @param rowSeconds of moving a row
 * @param rowElementSeconds of moving an element of a row
 * @param scoreSeconds of the router per token and expert
 * @param tokenSeconds of the router per token and element of its width
 */
record LayerFit(
    double expertFlops,
    double halfRows,
    double expertSeconds,
    double rowSeconds,
    double rowElementSeconds,
    double scoreSeconds,
    double tokenSeconds) {

  /**
   * @param denseFlops at which the gate's products run
   */
  static LayerFit of(List<LayerSample> samples, double denseFlops) {
    double[] experts =
        fit(
            samples,
            sample -> sample.seconds(Phase.EXPERTS),
            sample ->
                new double[] {
                  sample.expertFlops(),
                  sample.expertFlops() * sample.local() / sample.rows(), // weights read and written
                  sample.local()
                });
    double[] moves =
        fit(
            samples,
            sample -> sample.seconds(Phase.PERMUTE) + sample.seconds(Phase.COMBINE),
            sample -> new double[] {sample.rows(), sample.rows() * sample.structure().wireWidth()});
    double[] routing =
        fit(
            samples,
            sample -> routingSeconds(sample, denseFlops),
            sample ->
                new double[] {
                  (double) sample.tokens() * sample.structure().experts(),
                  (double) sample.tokens() * sample.structure().hidden()
                });
    double perFlop = Math.max(experts[0], 1e-18); // all of it may have gone into the others
    return new LayerFit(
        1 / perFlop, experts[1] / perFlop, experts[2], moves[0], moves[1], routing[0], routing[1]);
  }

  private static double routingSeconds(LayerSample sample, double denseFlops) {
    double whole = sample.seconds(Phase.ROUTE);
    double gate = 6.0 * sample.tokens() * sample.structure().gateWeights() / denseFlops;
    return Math.max(whole - gate, 0.1 * whole);
  }

  private static double[] fit(
      List<LayerSample> samples,
      ToDoubleFunction<LayerSample> seconds,
      Function<LayerSample, double[]> amounts) {
    return LeastSquares.costs(
        samples.stream().map(amounts).toArray(double[][]::new),
        samples.stream().mapToDouble(seconds).toArray());
  }
}
