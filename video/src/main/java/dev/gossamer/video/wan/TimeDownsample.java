package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.Activations;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.Convolution;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.RowBands;
import java.util.Optional;

/**
 * Halves the frames, but for the video's first, which stays as it is: the temporal half of {@code
 * WanResample} in mode {@code downsample3d}, a convolution over three frames with stride 2.
 */
final class TimeDownsample implements CausalLayer {
  private final RowBands bands;
  private final Convolution conv;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  TimeDownsample(Parameters parameters, String name, long channels, RowBands bands) {
    this.bands = bands;
    this.conv = Convolution.halvingTime(parameters, name + ".time_conv", channels);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    Optional<Tensor> before = cache.frames(this);
    try (Scope scope = Scope.open()) {
      Tensor last = x.narrow(2, x.size(2) - 1, 1).copy();
      if (before.isEmpty()) {
        cache.put(this, last);
        return x;
      }
      Tensor half = Activations.empty(x, x.size(1), x.size(2) / 2);
      bands.forEach(
          x,
          band -> {
            Tensor window = Tensor.cat(2, band.of(before.get()), band.of(x));
            band.of(half).copyFrom(conv.apply(window));
          });
      cache.put(this, last);
      return scope.keep(half);
    }
  }
}
