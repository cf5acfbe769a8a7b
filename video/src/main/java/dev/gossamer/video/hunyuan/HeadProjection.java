package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.nn.RotaryEmbedding;
import dev.gossamer.tensor.weights.Parameters;

/**
 * From rows to the heads of an attention: projections, normalisation within each head, rotary
 * positions.
 */
record HeadProjection(
    int heads, Linear toQuery, Linear toKey, Linear toValue, RmsNorm queryNorm, RmsNorm keyNorm) {
  /** The video's in a block of two streams, and that of all tokens in a block of one. */
  static HeadProjection of(Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return of(parameters, config, prefix + ".to_%s", prefix + ".norm_%s");
  }

  /** The text's in a block of two streams. */
  static HeadProjection ofText(
      Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return of(parameters, config, prefix + ".add_%s_proj", prefix + ".norm_added_%s");
  }

  private static HeadProjection of(
      Parameters parameters, HunyuanTransformerConfig config, String linear, String norm) {
    int width = config.width();
    return new HeadProjection(
        config.heads(),
        Linear.of(parameters, linear.formatted("q"), width, width),
        Linear.of(parameters, linear.formatted("k"), width, width),
        Linear.of(parameters, linear.formatted("v"), width, width),
        RmsNorm.of(parameters, norm.formatted("q"), config.headDim(), HunyuanTransformerConfig.EPS),
        RmsNorm.of(
            parameters, norm.formatted("k"), config.headDim(), HunyuanTransformerConfig.EPS));
  }

  /**
   * Fills the heads of a run of tokens.
   *
   * @param rows the run's normalised rows, {@code [1, rows, width]}
   * @param table the rotation of all tokens, {@code [tokens, headDim]}
   * @param room of all tokens
   * @param start first token of the run
   */
  void project(Tensor rows, Tensor table, AttentionHeads room, long start) {
    Tensor input = rows.to(toQuery.dtype());
    Tensor turn = table.narrow(0, start, rows.size(1));
    Tensor query = queryNorm.apply(AttentionHeads.split(toQuery.apply(input), heads));
    Tensor key = keyNorm.apply(AttentionHeads.split(toKey.apply(input), heads));
    room.write(
        RotaryEmbedding.rotate(query, turn),
        RotaryEmbedding.rotate(key, turn),
        AttentionHeads.split(toValue.apply(input), heads),
        start);
  }

  /** Room for the heads of x {@code [1, tokens, width]}. */
  AttentionHeads room(Tensor x) {
    return AttentionHeads.room(
        toQuery.dtype(), x.device(), x.size(0), heads, x.size(1), x.size(2) / heads);
  }
}
