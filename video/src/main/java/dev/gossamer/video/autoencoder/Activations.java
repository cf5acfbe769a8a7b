package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * How activations [B, C, t, H, W] lie in memory: channels innermost, so that each frame is one
 * block, a pixel's channels are neighbours, and convolutions need no rearrangement.
 */
public final class Activations {
  private Activations() {}

  /** Memory with undefined content. */
  public static Tensor empty(
      long batch, long channels, long frames, long height, long width, DType dtype, Device device) {
    return Tensor.empty(dtype, device, batch, frames, height, width, channels)
        .permute(0, 4, 1, 2, 3);
  }

  /** Memory with undefined content of another tensor's type, place, batch, height and width. */
  public static Tensor empty(Tensor like, long channels, long frames) {
    return empty(
        like.size(0), channels, frames, like.size(3), like.size(4), like.dtype(), like.device());
  }

  /** The frames of one video as pictures: [1, C, t, H, W] to [t, C, H, W], a view. */
  public static Tensor pictures(Tensor frames) {
    return frames.select(0, 0).transpose(0, 1);
  }

  /** Pictures as frames again: [t, C, H, W] to [1, C, t, H, W], a view. */
  public static Tensor frames(Tensor pictures) {
    return pictures.transpose(0, 1).unsqueeze(0);
  }
}
