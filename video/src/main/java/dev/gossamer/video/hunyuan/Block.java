package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.Attention;
import dev.gossamer.tensor.Tensor;

/** One layer of the transformer. */
interface Block {
  /**
   * @param x residual stream {@code [1, tokens, width]} FLOAT32, video before text, changed in
   *     place
   * @param pass what all layers of this pass share
   */
  void apply(Tensor x, Pass pass, Attention attention);
}
