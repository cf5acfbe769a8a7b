package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * The embedding of a timestep: its sinusoid, then two linear layers with SiLU between.
 *
 * @param frequencies width of the sinusoid, even
 * @param layers {@code [frequencies]} to {@code [width]}
 */
public record TimestepEmbedding(int frequencies, FeedForward layers) {
  private static final double SLOWEST = 10_000;

  /** Reads {@code prefix.linear_1} [width, frequencies] and {@code prefix.linear_2}. */
  public static TimestepEmbedding of(
      Parameters parameters, String prefix, int frequencies, long width) {
    return new TimestepEmbedding(
        frequencies,
        FeedForward.projection(parameters, prefix, frequencies, width, Activation.SILU));
  }

  /**
   * @return {@code [1, width]}, in the type of the layers' weights
   */
  public Tensor apply(double timestep) {
    Tensor sinusoid = sinusoid(timestep, frequencies);
    return layers.apply(sinusoid.to(layers.up().weight().device()));
  }

  /**
   * [cos(t f_0), .., sin(t f_0), ..] with f_j = 10000^(-j / half), in float32 and in the
   * reference's order of operations: a timestep of 1000 magnifies the last bit of a frequency.
   *
   * @return {@code [1, width]} FLOAT32, on the processor
   */
  public static Tensor sinusoid(double timestep, int width) {
    int half = width / 2;
    Tensor frequencies = Tensor.arange(half, DType.FLOAT32).mul(-Math.log(SLOWEST)).div(half).exp();
    Tensor angles = frequencies.mul((float) timestep);
    return Tensor.cat(0, angles.cos(), angles.sin()).reshape(1, 2L * half);
  }
}
