package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Normalisation of groups of channels over a whole tile: all its frames, rows and columns.
 *
 * @param weight {@code [channels]}
 * @param bias {@code [channels]}
 */
record GroupNorm(int groups, Tensor weight, Tensor bias) {
  private static final double EPS = 1e-6;

  /** Reads {@code prefix.weight} and {@code prefix.bias}. */
  static GroupNorm of(Parameters parameters, String prefix, int groups, int channels) {
    return new GroupNorm(
        groups,
        parameters.get(prefix + ".weight", channels),
        parameters.get(prefix + ".bias", channels));
  }

  /**
   * @param x {@code [B, channels, ..]}
   */
  Tensor apply(Tensor x) {
    return x.groupNorm(groups, weight, bias, EPS);
  }

  /** Normalised, then activated with SiLU. */
  Tensor activated(Tensor x) {
    return apply(x).siluInPlace();
  }
}
