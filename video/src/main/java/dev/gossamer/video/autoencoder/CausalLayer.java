package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;

/** A step of the autoencoder that sees a video chunk by chunk, never a later frame. */
public interface CausalLayer {
  /**
   * @param x [B, C, t, H, W], channels innermost; not changed
   * @param cache what earlier chunks left behind; receives what later ones need
   * @return the next activation in the current scope; {@code x} itself where nothing is to be done
   */
  Tensor apply(Tensor x, FeatureCache cache);
}
