package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/** The cross-attention of one layer to one prompt, output projection included. */
sealed interface TextAttention permits FewKeys, ManyKeys, TextAndImage {
  /**
   * @param layer the weights that this was prepared with
   * @param rows normalised tokens, {@code [batch, rows, width]}
   * @return {@code [batch, rows, width]} in the model's type
   */
  Tensor apply(WanCrossAttention layer, Tensor rows);

  /** Hands the prompt's tensors to a scope that lives as long as the prompt. */
  void keepIn(Scope scope);
}
