package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/** A linear layer: {@code [.., in]} to {@code [.., out]}, x W^T + b. */
public final class Linear {
  private final Tensor weight;
  private final Tensor bias; // null where there is none

  private Linear(Tensor weight, Tensor bias) {
    this.weight = weight;
    this.bias = bias;
  }

  /** Reads {@code prefix.weight} [out, in] and {@code prefix.bias} [out]. */
  public static Linear of(Parameters parameters, String prefix, long in, long out) {
    return of(parameters.get(prefix + ".weight", out, in), parameters.get(prefix + ".bias", out));
  }

  /** Reads {@code prefix.weight} [out, in]. */
  public static Linear withoutBias(Parameters parameters, String prefix, long in, long out) {
    return new Linear(parameters.get(prefix + ".weight", out, in), null);
  }

  /**
   * @param weight {@code [out, in]}
   */
  public static Linear withoutBias(Tensor weight) {
    return new Linear(weight, null);
  }

  /**
   * @param weight {@code [out, in]}
   * @param bias {@code [out]}
   */
  public static Linear of(Tensor weight, Tensor bias) {
    return new Linear(weight, bias);
  }

  /**
   * Converts x to the weight's type first, like the reference models do.
   *
   * @param x {@code [.., in]}, floating
   * @return {@code [.., out]}, in the weight's type
   */
  public Tensor apply(Tensor x) {
    return Precision.of(x, weight.dtype()).linear(weight, bias);
  }

  /** {@link #apply(Tensor)}, activated: on a card by the product itself, where it can. */
  public Tensor apply(Tensor x, Activation activation) {
    boolean atOnce =
        activation == Activation.GELU_TANH
            && bias != null
            && RowKernels.wanted(weight.device(), weight.dtype());
    return atOnce
        ? Precision.of(x, weight.dtype()).linearGeluTanh(weight, bias)
        : activation.apply(apply(x));
  }

  /** {@code [out, in]}. */
  public Tensor weight() {
    return weight;
  }

  /** {@code [out]}. */
  public Optional<Tensor> bias() {
    return Optional.ofNullable(bias);
  }

  public DType dtype() {
    return weight.dtype();
  }
}
