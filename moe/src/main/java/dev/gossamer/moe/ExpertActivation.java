package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;

/** The elementwise function between an expert's matrices, with its way back. */
public enum ExpertActivation {
  /** x Phi(x), exact. */
  GELU(Tensor::gelu, Tensor::geluBackward),
  /** max(x, 0). */
  RELU(ExpertActivation::positive, (x, gradient) -> gradient.mul(x.gt(0).to(x.dtype()))),
  /** max(x, 0) squared. */
  RELU2(x -> positive(x).square(), (x, gradient) -> gradient.mul(positive(x)).mul(2)),
  /** x sigmoid(x). */
  SILU(Tensor::silu, Tensor::siluBackward);

  private final UnaryOperator<Tensor> function;
  private final BinaryOperator<Tensor> back;

  ExpertActivation(UnaryOperator<Tensor> function, BinaryOperator<Tensor> back) {
    this.function = function;
    this.back = back;
  }

  public Tensor apply(Tensor x) {
    return function.apply(x);
  }

  /** What reaches x of a gradient of {@code apply(x)}. */
  public Tensor backward(Tensor x, Tensor ofOutput) {
    return back.apply(x, ofOutput);
  }

  private static Tensor positive(Tensor x) {
    return x.clamp(0, Double.POSITIVE_INFINITY);
  }
}
