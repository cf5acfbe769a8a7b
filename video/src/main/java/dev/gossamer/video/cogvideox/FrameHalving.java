package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.video.autoencoder.Activations;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.FeatureCache;

/**
 * Averages pairs of frames, but for the first of an odd number: the temporal half of {@code
 * CogVideoXDownsample3D}.
 */
final class FrameHalving implements CausalLayer {
  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    long frames = x.size(2);
    if (frames == 1) {
      return x;
    }
    try (Scope scope = Scope.open()) {
      long single = frames % 2;
      long pairs = frames / 2;
      Tensor half = Activations.empty(x, x.size(1), single + pairs);
      half.narrow(2, 0, single).copyFrom(x.narrow(2, 0, single));
      Tensor rest = x.narrow(2, single, 2 * pairs);
      half.narrow(2, single, pairs)
          .copyFrom(rest.every(2, 0, 2))
          .addInPlace(rest.every(2, 1, 2))
          .mulInPlace(0.5);
      return scope.keep(half);
    }
  }
}
