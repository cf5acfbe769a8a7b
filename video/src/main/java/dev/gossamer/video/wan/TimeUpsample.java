package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

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
  TimeUpsample(Parameters parameters, String name, long channels) {
    this.conv = CausalConv3d.temporal(parameters, name + ".time_conv", channels, 2 * channels);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    if (cache.first()) {
      return x; // and nothing is kept: the second chunk sees zeros before it, as in the reference
    }
    try (Scope scope = Scope.open()) {
      Tensor pairs = conv.apply(x, cache); // [B, 2 C, t, H, W]
      long b = x.size(0);
      long c = x.size(1);
      long t = x.size(2);
      long h = x.size(3);
      long w = x.size(4);
      Tensor frames =
          pairs
              .permute(0, 2, 3, 4, 1)
              .reshape(b, t, h, w, 2, c)
              .permute(0, 1, 4, 2, 3, 5)
              .reshape(b, 2 * t, h, w, c);
      return scope.keep(frames.permute(0, 4, 1, 2, 3));
    }
  }
}
