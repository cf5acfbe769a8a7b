package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.nn.RotaryEmbedding;
import dev.gossamer.tensor.weights.Parameters;

/**
 * What stands around a block's self-attention ({@code attn1}): the projections to queries, keys and
 * values with normalisation over the whole width and rotary positions, and the projection of the
 * result.
 */
record WanSelfAttention(
    int heads,
    Linear toQuery,
    Linear toKey,
    Linear toValue,
    RmsNorm queryNorm,
    RmsNorm keyNorm,
    Linear toOut) {
  static WanSelfAttention of(Parameters parameters, String prefix, WanTransformerConfig config) {
    int width = config.width();
    return new WanSelfAttention(
        config.heads(),
        Linear.of(parameters, prefix + ".to_q", width, width),
        Linear.of(parameters, prefix + ".to_k", width, width),
        Linear.of(parameters, prefix + ".to_v", width, width),
        RmsNorm.of(parameters, prefix + ".norm_q", width, config.eps()),
        RmsNorm.of(parameters, prefix + ".norm_k", width, config.eps()),
        Linear.of(parameters, prefix + ".to_out.0", width, width));
  }

  /** Room for the heads of all tokens of x {@code [batch, tokens, width]}. */
  AttentionHeads room(Tensor x) {
    return AttentionHeads.room(
        toQuery.dtype(), x.device(), x.size(0), heads, x.size(1), x.size(2) / heads);
  }

  /**
   * Fills the heads of a run of tokens.
   *
   * @param rows the run's normalised rows, {@code [batch, rows, width]}
   * @param table the run's rotation, {@code [rows, headDim]}
   * @param to where to write
   * @param start first token of the run
   */
  void project(Tensor rows, Tensor table, AttentionHeads to, long start) {
    Tensor input = rows.to(toQuery.dtype());
    Tensor query = AttentionHeads.split(queryNorm.apply(toQuery.apply(input)), heads);
    Tensor key = AttentionHeads.split(keyNorm.apply(toKey.apply(input)), heads);
    to.write(
        RotaryEmbedding.rotate(query, table),
        RotaryEmbedding.rotate(key, table),
        AttentionHeads.split(toValue.apply(input), heads),
        start);
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
