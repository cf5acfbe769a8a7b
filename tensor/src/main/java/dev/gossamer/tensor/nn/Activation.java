package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import java.util.function.UnaryOperator;

/** What stands between two linear layers; elementwise. */
public enum Activation {
  /** GELU, x times the normal distribution's function ("gelu"). */
  GELU(Tensor::gelu),
  /** GELU in its tanh approximation ("gelu-approximate" in diffusers). */
  GELU_TANH(Tensor::geluTanh),
  /** x sigmoid(x). */
  SILU(Tensor::silu),
  /** x sigmoid(1.702 x): the GELU of CLIP ("quick_gelu"). */
  QUICK_GELU(x -> x.mul(x.mul(1.702).sigmoid()));

  private final UnaryOperator<Tensor> function;

  Activation(UnaryOperator<Tensor> function) {
    this.function = function;
  }

  public Tensor apply(Tensor x) {
    return function.apply(x);
  }
}
