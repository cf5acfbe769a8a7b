package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * Queries, keys and values of one layer, each {@code [batch, heads, tokens, headDim]} in the
 * model's type; filled run by run.
 */
public record AttentionHeads(Tensor query, Tensor key, Tensor value) {
  /** Room for the heads of all tokens, with undefined content. */
  public static AttentionHeads room(
      DType dtype, Device device, long batch, long heads, long tokens, long headDim) {
    return new AttentionHeads(
        Tensor.empty(dtype, device, batch, heads, tokens, headDim),
        Tensor.empty(dtype, device, batch, heads, tokens, headDim),
        Tensor.empty(dtype, device, batch, heads, tokens, headDim));
  }

  /**
   * Writes a run of tokens.
   *
   * @param queries {@code [batch, rows, heads, headDim]}, any floating type; likewise the others
   * @param start first token of the run
   */
  public void write(Tensor queries, Tensor keys, Tensor values, long start) {
    write(queries, query, start);
    write(keys, key, start);
    write(values, value, start);
  }

  private static void write(Tensor rows, Tensor to, long start) {
    to.narrow(2, start, rows.size(1)).copyFrom(rows.transpose(1, 2));
  }

  /** {@code [batch, rows, width]} as {@code [batch, rows, heads, width / heads]}; a view. */
  public static Tensor split(Tensor rows, long heads) {
    return rows.reshape(rows.size(0), rows.size(1), heads, rows.size(2) / heads);
  }

  /**
   * A run of tokens with its heads side by side.
   *
   * @param attended {@code [batch, heads, tokens, headDim]}
   * @return {@code [batch, rows, heads * headDim]}
   */
  public static Tensor join(Tensor attended, long start, long rows) {
    return attended.narrow(2, start, rows).transpose(1, 2).flatten(2, 3);
  }
}
