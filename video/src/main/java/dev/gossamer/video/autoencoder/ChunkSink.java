package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;

/** Takes the frames of a video while it is decoded. */
public interface ChunkSink {
  /**
   * Receives the next frames, in order. Whatever this throws ends the decode.
   *
   * @param frames [B, 3, t, H, W] float32 in [-1, 1]; freed when the call returns, unless the
   *     receiver adopts it into a scope of its own
   */
  void accept(Tensor frames);
}
