package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * x / sqrt(mean(x^2) + eps) * weight over the last dimension, calculated in float32.
 *
 * @param weight {@code [width]}
 * @param eps added to the mean square
 */
public record RmsNorm(Tensor weight, double eps) implements Norm {
  /** Reads {@code prefix.weight} [width]. */
  public static RmsNorm of(Parameters parameters, String prefix, long width, double eps) {
    return new RmsNorm(parameters.get(prefix + ".weight", width), eps);
  }

  @Override
  public Tensor apply(Tensor x) {
    return Precision.float32(x).rmsNorm(Precision.float32(weight), eps);
  }

  /**
   * {@link #apply(Tensor)} in the type of what takes it.
   *
   * @param x {@code [.., width]}
   */
  public Tensor apply(Tensor x, DType dtype) {
    return RowKernels.of(x)
        .filter(kernels -> x.dtype() == dtype && x.size(2) % RowKernels.COLUMNS == 0)
        .map(kernels -> kernels.norm(x, this))
        .orElseGet(() -> Precision.of(apply(x), dtype));
  }
}
