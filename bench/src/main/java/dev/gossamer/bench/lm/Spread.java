package dev.gossamer.bench.lm;

import java.util.Arrays;

/**
 * A few values of the same thing.
 *
 * @param mean of them
 * @param deviation sample standard deviation; NaN of one value
 * @param count how many
 */
public record Spread(double mean, double deviation, int count) {
  static Spread of(double... values) {
    double mean = Arrays.stream(values).average().orElse(Double.NaN);
    double squares = Arrays.stream(values).map(x -> (x - mean) * (x - mean)).sum();
    int count = values.length;
    return new Spread(mean, count < 2 ? Double.NaN : Math.sqrt(squares / (count - 1)), count);
  }

  /** Half the width of the 95 % t-interval of the mean; NaN of one value. */
  public double margin() {
    return count < 2 ? Double.NaN : StudentT.quantile(count - 1) * deviation / Math.sqrt(count);
  }

  /** Lower end of the interval. */
  public double low() {
    return mean - margin();
  }

  /** Upper end of the interval. */
  public double high() {
    return mean + margin();
  }
}
