package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.Activations;
import dev.gossamer.video.autoencoder.CausalConv3d;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.RowBands;

/**
 * Doubles the frames, but for the video's first, which stays one: the temporal half of {@code
 * WanResample} in mode {@code upsample3d}. A convolution over time makes two frames' channels of
 * each frame.
 */
final class TimeUpsample implements CausalLayer {
  private final CausalConv3d conv;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  TimeUpsample(Parameters parameters, String name, long channels, RowBands bands) {
    this.conv =
        CausalConv3d.temporal(
            parameters,
            name + ".time_conv",
            channels,
            2 * channels,
            bands,
            CausalConv3d.Before.ZEROS);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    if (cache.first()) {
      return x; // and nothing is kept: the second chunk sees zeros before it, as in the reference
    }
    try (Scope scope = Scope.open()) {
      long channels = x.size(1);
      Tensor doubled = Activations.empty(x, channels, 2 * x.size(2));
      conv.convolve(
          x,
          cache,
          CausalConv3d.PLAIN,
          (pairs, band) -> {
            Tensor frames = band.of(doubled);
            frames.every(2, 0, 2).copyFrom(pairs.narrow(1, 0, channels));
            frames.every(2, 1, 2).copyFrom(pairs.narrow(1, channels, channels));
          });
      return scope.keep(doubled);
    }
  }
}
