package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * x / sqrt(mean(x^2) + eps) * weight over the last dimension, calculated in float32.
 *
 * @param weight {@code [width]}
 * @param eps added to the mean square
 */
public record RmsNorm(Tensor weight, double eps) {
  /** Reads {@code prefix.weight} [width]. */
  public static RmsNorm of(Parameters parameters, String prefix, long width, double eps) {
    return new RmsNorm(parameters.get(prefix + ".weight", width), eps);
  }

  /**
   * @param x {@code [.., width]}
   * @return the same shape, FLOAT32
   */
  public Tensor apply(Tensor x) {
    return Precision.float32(x).rmsNorm(Precision.float32(weight), eps);
  }
}
