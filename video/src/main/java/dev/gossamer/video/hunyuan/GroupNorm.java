package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.ChannelAffine;
import dev.gossamer.video.autoencoder.RowBands;

/**
 * Normalisation of groups of channels over a whole tile: all its frames, rows and columns.
 *
 * <p>By libtorch's own group norm on a processor and where a tile is small; by sums of each channel
 * where a card has much to do, several times as fast there.
 *
 * @param weight {@code [channels]}
 * @param bias {@code [channels]}
 */
record GroupNorm(int groups, Tensor weight, Tensor bias) {
  private static final double EPS = 1e-6;

  /** Numbers of a tile up to which a card is faster with libtorch's, which takes fewer launches. */
  private static final long SMALL = 1 << 24;

  private static final RowBands ALONE = new RowBands(new Threads(1));

  /** Set by tests: every tile is normalised by sums, wherever it is. */
  static volatile boolean alwaysBySums;

  /** Reads {@code prefix.weight} and {@code prefix.bias}. */
  static GroupNorm of(Parameters parameters, String prefix, int groups, int channels) {
    return new GroupNorm(
        groups,
        parameters.get(prefix + ".weight", channels),
        parameters.get(prefix + ".bias", channels));
  }

  /**
   * Without activation: for the attention in the middle, where tiles are small.
   *
   * @param x {@code [B, channels, ..]}
   */
  Tensor apply(Tensor x) {
    return x.groupNorm(groups, weight, bias, EPS);
  }

  /**
   * Normalises, activates with SiLU.
   *
   * @param to {@code [B, channels, t, h, w]}, overwritten
   * @param x likewise
   */
  void activate(Tensor to, Tensor x) {
    try (Scope scope = Scope.open()) {
      if (alwaysBySums || (!x.device().isCpu() && x.count() > SMALL)) {
        ChannelAffine.of(x, groups, weight, bias, EPS, ALONE).activate(to, x);
      } else {
        to.copyFrom(apply(x).siluInPlace());
      }
    }
  }
}
