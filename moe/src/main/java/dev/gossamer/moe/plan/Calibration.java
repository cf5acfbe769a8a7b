package dev.gossamer.moe.plan;

import dev.gossamer.tensor.settings.SettingsFile;
import java.util.stream.DoubleStream;

/**
 * Time of all-to-all on the paper's cluster against the volume {@code v} of a token: {@code k} for
 * fine-grained, {@code r k} for BigMac.
 *
 * @param trainingLine through Table 1's five training figures and the two of BigMac that follow
 *     from Figure 4, ms
 * @param trainingCurve a parabola through the five, ms
 * @param inferenceLine through Table 1's inference figures, ms
 * @param inferenceCurve a parabola through them, ms
 * @param otherMillis what a training iteration takes beside all-to-all, ms
 * @param projectionMillis what BigMac's projections add to it, ms
 * @param inferenceOtherMillis what inference takes beside all-to-all, ms
 * @param decodeTop8 Table 9 at top-8
 * @param decodeTop4 Table 9 at top-4
 */
public record Calibration(
    Polynomial trainingLine,
    Polynomial trainingCurve,
    Polynomial inferenceLine,
    Polynomial inferenceCurve,
    double otherMillis,
    double projectionMillis,
    double inferenceOtherMillis,
    DecodeFit decodeTop8,
    DecodeFit decodeTop4) {
  /** The paper's ratio of latent to hidden width. */
  static final double RATIO = 0.25;

  public static Calibration ofThePaper() {
    PublishedFigures published = PublishedFigures.read();
    double[] volumes = published.topK();
    double[] narrow = DoubleStream.of(published.figure4TopK()).map(k -> RATIO * k).toArray();
    double[] narrowMillis = new double[narrow.length];
    for (int i = 0; i < narrow.length; i++) {
      narrowMillis[i] = published.bigMacMillis(i);
    }
    SettingsFile file = SettingsFile.resource(Calibration.class, "calibration.json");
    return new Calibration(
        Polynomial.fit(
            joined(volumes, narrow), joined(published.trainingMillis(), narrowMillis), 1),
        Polynomial.fit(volumes, published.trainingMillis(), 2),
        Polynomial.fit(volumes, published.inferenceMillis(), 1),
        Polynomial.fit(volumes, published.inferenceMillis(), 2),
        file.real("otherMillis"),
        file.real("projectionMillis"),
        file.real("inferenceOtherMillis"),
        DecodeFit.of(file.reals("table9Top8")),
        DecodeFit.of(file.reals("table9Top4")));
  }

  private static double[] joined(double[] first, double[] second) {
    return DoubleStream.concat(DoubleStream.of(first), DoubleStream.of(second)).toArray();
  }

  /** Fine-grained iteration over BigMac's, by the line. */
  public double endToEnd(double topK) {
    return (trainingLine.at(topK) + otherMillis)
        / (trainingLine.at(RATIO * topK) + otherMillis + projectionMillis);
  }

  /** Fine-grained all-to-all over BigMac's, by the line. */
  public double allToAll(double topK) {
    return trainingLine.at(topK) / trainingLine.at(RATIO * topK);
  }
}
