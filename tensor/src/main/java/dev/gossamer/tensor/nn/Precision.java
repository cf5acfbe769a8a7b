package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;

/** Conversion where one is needed; a tensor of the wanted type is passed on as it is. */
final class Precision {
  private Precision() {}

  static Tensor of(Tensor x, DType dtype) {
    return x.dtype() == dtype ? x : x.to(dtype);
  }

  static Tensor float32(Tensor x) {
    return of(x, DType.FLOAT32);
  }
}
