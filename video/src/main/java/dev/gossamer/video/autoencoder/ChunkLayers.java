package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;

/** An encoder or decoder, as a pass uses it. */
@FunctionalInterface
public interface ChunkLayers {
  /**
   * @param chunk [B, C, t, H, W] in the weights' type, the frames after those of the last call with
   *     this cache
   * @param cache of the chunks before
   */
  Tensor apply(Tensor chunk, FeatureCache cache);
}
