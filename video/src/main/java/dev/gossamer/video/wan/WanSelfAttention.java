package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.weights.Parameters;

/**
 * What stands around a block's self-attention ({@code attn1}): the projections to heads, with
 * normalisation over the whole width and rotary positions, and the projection of the result.
 */
record WanSelfAttention(HeadProjections projections, Linear toOut) {
  static WanSelfAttention of(Parameters parameters, String prefix, WanTransformerConfig config) {
    int width = config.width();
    return new WanSelfAttention(
        new HeadProjections(
            config.heads(),
            Linear.of(parameters, prefix + ".to_q", width, width),
            Linear.of(parameters, prefix + ".to_k", width, width),
            Linear.of(parameters, prefix + ".to_v", width, width),
            RmsNorm.of(parameters, prefix + ".norm_q", width, config.eps()),
            RmsNorm.of(parameters, prefix + ".norm_k", width, config.eps())),
        Linear.of(parameters, prefix + ".to_out.0", width, width));
  }

  /**
   * The projected output of a run of tokens.
   *
   * @param attended {@code [batch, heads, tokens, headDim]}
   * @return {@code [batch, rows, width]}
   */
  Tensor output(Tensor attended, long start, long rows) {
    return toOut.apply(AttentionHeads.join(attended, start, rows));
  }
}
