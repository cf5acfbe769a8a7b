package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.ActivatedNorm;
import dev.gossamer.video.autoencoder.CausalConv3d;
import dev.gossamer.video.autoencoder.FeatureCache;

/**
 * Scales each pixel's channel vector to unit length, times sqrt(C) gamma: {@code WanRMS_norm}, x /
 * max(||x||, 1e-12) sqrt(C) gamma. It has no bias and no epsilon, and is computed in float32
 * whatever the type of the activations.
 */
final class ChannelNorm implements ActivatedNorm {
  private static final double SMALLEST_NORM = 1e-12;

  private final Tensor scale; // [C] float32

  private ChannelNorm(Tensor scale) {
    this.scale = scale;
  }

  /** For frames: {@code name.gamma} [C, 1, 1, 1]. */
  static ChannelNorm ofFrames(Parameters parameters, String name, long channels) {
    return new ChannelNorm(
        parameters.derive(ChannelNorm::scale, name + ".gamma", channels, 1, 1, 1));
  }

  /** For pictures: {@code name.gamma} [C, 1, 1]. */
  static ChannelNorm ofPictures(Parameters parameters, String name, long channels) {
    return new ChannelNorm(parameters.derive(ChannelNorm::scale, name + ".gamma", channels, 1, 1));
  }

  private static Tensor scale(Tensor gamma) {
    return gamma.to(DType.FLOAT32).reshape(-1).mul(Math.sqrt(gamma.size(0)));
  }

  /** Normalises vectors [.., C]; float32 in the current scope. */
  Tensor apply(Tensor vectors) {
    try (Scope scope = Scope.open()) {
      Tensor exact = vectors.to(DType.FLOAT32);
      Tensor length = exact.norm(-1, true).clampInPlace(SMALLEST_NORM, Float.MAX_VALUE);
      return scope.keep(exact.div(length).mulInPlace(scale));
    }
  }

  @Override
  public CausalConv3d.Intake over(Tensor x, FeatureCache cache) {
    return (to, from, frame, rows) -> siluInto(to, from);
  }

  /**
   * to = silu(norm(from)), for pictures [N, C, H, W] with channels innermost.
   *
   * @param to of any floating type
   */
  void siluInto(Tensor to, Tensor from) {
    try (Scope scope = Scope.open()) {
      Tensor out = to.permute(0, 2, 3, 1);
      Tensor normal = apply(from.permute(0, 2, 3, 1));
      if (to.dtype() == DType.FLOAT32) {
        Tensor.siluInto(out, normal);
      } else {
        out.copyFrom(normal.siluInPlace());
      }
    }
  }
}
