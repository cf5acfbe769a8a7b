package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Layer normalisation over the last dimension, calculated in float32 (biased variance). A
 * normalisation without weights that a timestep then scales and shifts is the same with weight 1 +
 * scale and bias shift.
 *
 * @param weight {@code [width]}
 * @param bias {@code [width]}
 * @param eps added to the variance
 */
public record LayerNorm(Tensor weight, Tensor bias, double eps) {
  /** Reads {@code prefix.weight} and {@code prefix.bias}, both [width]. */
  public static LayerNorm of(Parameters parameters, String prefix, long width, double eps) {
    return new LayerNorm(
        parameters.get(prefix + ".weight", width), parameters.get(prefix + ".bias", width), eps);
  }

  /**
   * @param x {@code [.., width]}
   * @return the same shape, FLOAT32
   */
  public Tensor apply(Tensor x) {
    return Precision.float32(x).layerNorm(Precision.float32(weight), Precision.float32(bias), eps);
  }
}
