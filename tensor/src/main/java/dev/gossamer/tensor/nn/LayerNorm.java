package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Layer normalisation over the last dimension, calculated in float32 (biased variance).
 *
 * @param weight {@code [width]}
 * @param bias {@code [width]}
 * @param eps added to the variance
 */
public record LayerNorm(Tensor weight, Tensor bias, double eps) implements Norm {
  /** Reads {@code prefix.weight} and {@code prefix.bias}, both [width]. */
  public static LayerNorm of(Parameters parameters, String prefix, long width, double eps) {
    return new LayerNorm(
        parameters.get(prefix + ".weight", width), parameters.get(prefix + ".bias", width), eps);
  }

  /**
   * LN(x) (1 + scale) + shift: what a timestep makes of a normalisation without weights.
   *
   * @param shift {@code [1, width]}
   * @param scale {@code [1, width]}
   */
  public static LayerNorm modulated(Tensor shift, Tensor scale, double eps) {
    return new LayerNorm(scale.flatten(0, 1).add(1), shift.flatten(0, 1), eps);
  }

  /**
   * This norm with a further shift and scale, {@code norm(x) (1 + scale) + shift}.
   *
   * @param shift {@code [1, width]} FLOAT32, likewise scale
   */
  public LayerNorm modulated(Tensor shift, Tensor scale) {
    Tensor factor = scale.flatten(0, 1).add(1);
    return new LayerNorm(
        Precision.float32(weight).mul(factor),
        Precision.float32(bias).mul(factor).add(shift.flatten(0, 1)),
        eps);
  }

  @Override
  public Tensor apply(Tensor x) {
    return Precision.float32(x).layerNorm(Precision.float32(weight), Precision.float32(bias), eps);
  }

  /**
   * {@link #apply(Tensor)} in the type of the layer that takes it.
   *
   * @param x {@code [.., width]}
   */
  public Tensor apply(Tensor x, DType dtype) {
    return RowKernels.ofResidual(x, dtype)
        .map(kernels -> kernels.norm(x, this, dtype))
        .orElseGet(() -> Precision.of(apply(x), dtype));
  }
}
