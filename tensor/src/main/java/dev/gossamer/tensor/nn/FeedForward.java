package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Two linear layers with an activation between: {@code [.., in]} to {@code [.., out]}. Row by row,
 * so a long sequence may be cut into runs of tokens without changing the result.
 *
 * @param up {@code [inner, in]}
 * @param activation between the two
 * @param down {@code [out, inner]}
 */
public record FeedForward(Linear up, Activation activation, Linear down) {
  /** diffusers' FeedForward: {@code prefix.net.0.proj} and {@code prefix.net.2}. */
  public static FeedForward of(
      Parameters parameters, String prefix, long width, long inner, Activation activation) {
    return new FeedForward(
        Linear.of(parameters, prefix + ".net.0.proj", width, inner),
        activation,
        Linear.of(parameters, prefix + ".net.2", inner, width));
  }

  /** diffusers' embedders and projections: {@code prefix.linear_1} and {@code prefix.linear_2}. */
  public static FeedForward projection(
      Parameters parameters, String prefix, long in, long out, Activation activation) {
    return new FeedForward(
        Linear.of(parameters, prefix + ".linear_1", in, out),
        activation,
        Linear.of(parameters, prefix + ".linear_2", out, out));
  }

  public Tensor apply(Tensor x) {
    return down.apply(up.apply(x, activation));
  }
}
