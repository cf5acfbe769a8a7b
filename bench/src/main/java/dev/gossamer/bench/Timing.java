package dev.gossamer.bench;

import java.util.Arrays;
import java.util.List;

/**
 * Wall times of one thing, measured several times.
 *
 * @param millis in the order in which they were measured, at least one
 */
public record Timing(List<Double> millis) {
  public Timing {
    millis = List.copyOf(millis);
    if (millis.isEmpty()) {
      throw new IllegalArgumentException("A timing needs at least one measurement");
    }
  }

  public static Timing of(double... millis) {
    return new Timing(Arrays.stream(millis).boxed().toList());
  }

  /** The middle one, or the mean of the middle two. */
  public double median() {
    return quantile(0.5);
  }

  public double min() {
    return quantile(0);
  }

  /** A quarter of the measurements are below. */
  public double lowerQuartile() {
    return quantile(0.25);
  }

  /** A quarter of the measurements are above. */
  public double upperQuartile() {
    return quantile(0.75);
  }

  /**
   * Below which this share of the measurements is, by straight lines between the sorted ones.
   *
   * @param share 0 to 1
   */
  public double quantile(double share) {
    double[] sorted = millis.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    double place = share * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }
}
