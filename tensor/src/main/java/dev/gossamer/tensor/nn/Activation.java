package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import java.util.function.UnaryOperator;

/** What stands between two linear layers; elementwise. */
public enum Activation {
  /** GELU in its tanh approximation ("gelu-approximate" in diffusers). */
  GELU_TANH(Tensor::geluTanh),
  /** x sigmoid(x). */
  SILU(Tensor::silu);

  private final UnaryOperator<Tensor> function;

  Activation(UnaryOperator<Tensor> function) {
    this.function = function;
  }

  public Tensor apply(Tensor x) {
    return function.apply(x);
  }
}
