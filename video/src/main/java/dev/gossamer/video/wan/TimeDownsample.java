package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * Halves the frames, but for the video's first, which stays as it is: the temporal half of {@code
 * WanResample} in mode {@code downsample3d}, a convolution over three frames with stride 2.
 */
final class TimeDownsample implements CausalLayer {
  private final Convolution conv;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  TimeDownsample(Parameters parameters, String name, long channels) {
    this.conv = Convolution.halvingTime(parameters, name + ".time_conv", channels);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    Optional<Tensor> before = cache.frames(this);
    if (before.isEmpty()) {
      cache.keep(this, x, 1);
      return x;
    }
    try (Scope scope = Scope.open()) {
      Tensor window = Tensor.cat(2, before.get(), x);
      cache.keep(this, x, 1);
      return scope.keep(conv.apply(window));
    }
  }
}
