package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;
import java.util.function.UnaryOperator;

/** The elementwise function between an expert's matrices, with its derivative. */
public enum ExpertActivation {
  /** x Phi(x), exact. */
  GELU(
      x -> x.mul(phi(x)),
      x -> phi(x).add(x.mul(x.square().mul(-0.5).exp()).mul(1 / Math.sqrt(2 * Math.PI)))),
  /** max(x, 0). */
  RELU(x -> x.clamp(0, Double.POSITIVE_INFINITY), x -> x.gt(0).to(x.dtype())),
  /** max(x, 0) squared. */
  RELU2(
      x -> x.clamp(0, Double.POSITIVE_INFINITY).square(),
      x -> x.clamp(0, Double.POSITIVE_INFINITY).mul(2)),
  /** x sigmoid(x). */
  SILU(
      Tensor::silu,
      x -> {
        Tensor s = x.sigmoid();
        return s.add(x.mul(s).mul(s.neg().add(1)));
      });

  private final UnaryOperator<Tensor> function;
  private final UnaryOperator<Tensor> derivative;

  ExpertActivation(UnaryOperator<Tensor> function, UnaryOperator<Tensor> derivative) {
    this.function = function;
    this.derivative = derivative;
  }

  public Tensor apply(Tensor x) {
    return function.apply(x);
  }

  /** The derivative at x. */
  public Tensor derivative(Tensor x) {
    return derivative.apply(x);
  }

  private static Tensor phi(Tensor x) {
    return x.mul(1 / Math.sqrt(2)).erf().add(1).mul(0.5);
  }
}
