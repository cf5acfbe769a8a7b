package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.video.autoencoder.Activations;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.FeatureCache;

/**
 * Shows every frame twice, but for the first of an odd number, the temporal half of {@code
 * CogVideoXUpsample3D}. The reference does so before the convolution that enlarges pictures; as
 * that looks at one frame at a time, the result is the same behind it, for half the work.
 */
final class FrameDoubling implements CausalLayer {
  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    long frames = x.size(2);
    if (frames == 1) {
      return x;
    }
    try (Scope scope = Scope.open()) {
      long single = frames % 2;
      long pairs = frames - single;
      Tensor doubled = Activations.empty(x, x.size(1), single + 2 * pairs);
      doubled.narrow(2, 0, single).copyFrom(x.narrow(2, 0, single));
      for (int half = 0; half < 2; half++) {
        doubled.narrow(2, single, 2 * pairs).every(2, half, 2).copyFrom(x.narrow(2, single, pairs));
      }
      return scope.keep(doubled);
    }
  }
}
