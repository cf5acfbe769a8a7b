package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;

/** A normalisation with silu behind it, as it stands before a causal convolution. */
public interface ActivatedNorm {
  /**
   * Prepares for one chunk; a norm that needs statistics of all of it takes them here.
   *
   * @param x [B, C, t, H, W], channels innermost
   * @param cache of the pass
   * @return silu(norm(rows of x)), as the convolution's intake
   */
  CausalConv3d.Intake over(Tensor x, FeatureCache cache);
}
