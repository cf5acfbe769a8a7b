package dev.gossamer.attention;

import dev.gossamer.tensor.Tensor;

/**
 * The self-attention of one layer and one guidance branch, for one video: what a transformer layer
 * calls. A transformer knows nothing of how it is done; a method knows nothing of models.
 */
public interface Attention {
  /**
   * softmax(query key^T / sqrt(headDim)) value, or what the method puts in its place.
   *
   * @param query {@code [batch, heads, tokens, headDim]}, after normalisation and rotary embedding
   * @param key {@code [batch, heads, tokens, headDim]}, likewise
   * @param value {@code [batch, heads, tokens, headDim]}
   * @param step the denoising step, from 0; steps may be left out but never go back
   * @return {@code [batch, heads, tokens, headDim]}, same type, in the current scope
   */
  Tensor attend(Tensor query, Tensor key, Tensor value, int step);
}
