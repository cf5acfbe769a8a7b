package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;

/**
 * How activations [B, C, t, H, W] lie in memory: channels innermost, so that each frame is one
 * block, a pixel's channels are neighbours, and convolutions need no rearrangement.
 */
final class Activations {
  private Activations() {}

  /** Memory with undefined content of another tensor's type, place, batch, height and width. */
  static Tensor empty(Tensor like, long channels, long frames) {
    return empty(like, like.dtype(), channels, frames, like.size(3), like.size(4));
  }

  /** Memory with undefined content in another tensor's place, with its batch. */
  static Tensor empty(
      Tensor like, DType dtype, long channels, long frames, long height, long width) {
    return Tensor.empty(dtype, like.device(), like.size(0), frames, height, width, channels)
        .permute(0, 4, 1, 2, 3);
  }

  /** The frames as pictures: [B, C, t, H, W] to [B t, C, H, W], a view. */
  static Tensor pictures(Tensor x) {
    return x.permute(0, 2, 1, 3, 4).reshape(-1, x.size(1), x.size(3), x.size(4));
  }

  /** Pictures as frames again: [B t, C, H, W] to [B, C, t, H, W], a view. */
  static Tensor frames(Tensor pictures, long batch) {
    return pictures
        .reshape(batch, -1, pictures.size(1), pictures.size(2), pictures.size(3))
        .permute(0, 2, 1, 3, 4);
  }
}
