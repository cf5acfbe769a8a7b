package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;

/** A layer of the autoencoder. */
interface VideoLayer {
  /**
   * @param x {@code [B, channels, frames, height, width]}
   * @return likewise, in the current scope
   */
  Tensor apply(Tensor x);
}
