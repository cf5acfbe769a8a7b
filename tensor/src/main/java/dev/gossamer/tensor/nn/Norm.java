package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;

/** A normalisation over the last dimension, calculated in float32. */
public sealed interface Norm permits LayerNorm, RmsNorm {
  /** {@code [width]}. */
  Tensor weight();

  /** Added to the variance or the mean square. */
  double eps();

  /**
   * @param x {@code [.., width]}
   * @return the same shape, FLOAT32
   */
  Tensor apply(Tensor x);
}
