package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
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

  /**
   * Queries, keys and values of one layer, each {@code [batch, heads, tokens, headDim]} in the
   * model's type.
   */
  record Heads(Tensor query, Tensor key, Tensor value) {}

  /** Room for the heads of all tokens of x {@code [batch, tokens, width]}. */
  Heads room(Tensor x) {
    return new Heads(roomForOne(x), roomForOne(x), roomForOne(x));
  }

  private Tensor roomForOne(Tensor x) {
    return Tensor.empty(
        toQuery.dtype(), x.device(), x.size(0), heads, x.size(1), x.size(2) / heads);
  }

  /**
   * Fills the heads of a run of tokens.
   *
   * @param rows the run's normalised rows, {@code [batch, rows, width]}
   * @param table the run's rotation, {@code [rows, headDim]}
   * @param heads where to write
   * @param start first token of the run
   */
  void project(Tensor rows, Tensor table, Heads heads, long start) {
    Tensor input = rows.to(toQuery.dtype());
    Tensor query = split(queryNorm.apply(toQuery.apply(input)));
    Tensor key = split(keyNorm.apply(toKey.apply(input)));
    write(RotaryEmbedding.rotate(query, table), heads.query(), start);
    write(RotaryEmbedding.rotate(key, table), heads.key(), start);
    write(split(toValue.apply(input)), heads.value(), start);
  }

  private Tensor split(Tensor rows) {
    return rows.reshape(rows.size(0), rows.size(1), heads, rows.size(2) / heads);
  }

  private static void write(Tensor rows, Tensor to, long start) {
    to.narrow(2, start, rows.size(1)).copyFrom(rows.transpose(1, 2));
  }

  /**
   * The projected output of a run of tokens.
   *
   * @param attended {@code [batch, heads, tokens, headDim]}
   * @return {@code [batch, rows, width]}
   */
  Tensor output(Tensor attended, long start, long rows) {
    return toOut.apply(attended.narrow(2, start, rows).transpose(1, 2).flatten(2, 3));
  }
}
