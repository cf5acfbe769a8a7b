package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Halves height and width by a 3x3 convolution with stride 2, zeros to the right and below: the
 * spatial half of {@code WanResample} in the modes {@code downsample2d} and {@code downsample3d}.
 */
final class SpaceDownsample implements CausalLayer {
  private final Convolution conv;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  SpaceDownsample(Parameters parameters, String name, long channels) {
    this.conv = Convolution.halvingSpace(parameters, name + ".resample.1", channels);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor padded = Activations.pictures(x).pad(0, 0, 1, 0, 1);
      return scope.keep(Activations.frames(conv.apply(padded), x.size(0)));
    }
  }
}
