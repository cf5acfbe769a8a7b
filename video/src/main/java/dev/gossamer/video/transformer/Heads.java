package dev.gossamer.video.transformer;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * Queries, keys and values of one layer, each {@code [batch, heads, tokens, headDim]} in the
 * model's type; filled run by run.
 */
public record Heads(Tensor query, Tensor key, Tensor value) {
  /** Room for all tokens, in the current scope. */
  public static Heads room(
      DType dtype, Device device, long batch, long heads, long tokens, long headDim) {
    return new Heads(
        Tensor.empty(dtype, device, batch, heads, tokens, headDim),
        Tensor.empty(dtype, device, batch, heads, tokens, headDim),
        Tensor.empty(dtype, device, batch, heads, tokens, headDim));
  }

  /** {@code [batch, rows, heads * headDim]} to {@code [batch, rows, heads, headDim]}. */
  public static Tensor split(Tensor rows, long heads) {
    return rows.reshape(rows.size(0), rows.size(1), heads, rows.size(2) / heads);
  }

  /**
   * Puts a run of tokens into its place.
   *
   * @param rows {@code [batch, rows, heads, headDim]}
   * @param to this layer's queries, keys or values
   * @param start first token of the run
   */
  public static void write(Tensor rows, Tensor to, long start) {
    to.narrow(2, start, rows.size(1)).copyFrom(rows.transpose(1, 2));
  }

  /**
   * A run of tokens of an attention's result, heads side by side.
   *
   * @param attended {@code [batch, heads, tokens, headDim]}
   * @return {@code [batch, rows, heads * headDim]}
   */
  public static Tensor join(Tensor attended, long start, long rows) {
    return attended.narrow(2, start, rows).transpose(1, 2).flatten(2, 3);
  }
}
