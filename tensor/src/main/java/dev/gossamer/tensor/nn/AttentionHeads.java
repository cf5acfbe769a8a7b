package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

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
   * Writes a run of tokens into one of the three: normalised, then turned, where they are.
   *
   * @param rows projected, {@code [batch, rows, width]}, any floating type
   * @param norm over the whole width or, with weights of that size, over each head
   * @param table {@code [rows, headDim]} FLOAT32, the rotation of these tokens
   * @param to {@code [batch, heads, tokens, headDim]}
   * @param start first token of the run
   */
  static void write(
      Tensor rows, Optional<Norm> norm, Optional<Tensor> table, Tensor to, long start) {
    Tensor room = to.narrow(2, start, rows.size(1));
    Optional<RowKernels> kernels =
        RowKernels.fits(rows, norm, room) ? RowKernels.of(rows) : Optional.empty();
    if (kernels.isPresent()) {
      kernels.get().project(rows, norm, table, room);
      return;
    }
    long heads = to.size(1);
    boolean whole = norm.isPresent() && norm.get().weight().size(0) == rows.size(2);
    Tensor split = split(whole ? norm.get().apply(rows) : rows, heads);
    Tensor normed = norm.isEmpty() || whole ? split : norm.get().apply(split);
    Tensor turned = table.isPresent() ? RotaryEmbedding.rotate(normed, table.get()) : normed;
    room.copyFrom(turned.transpose(1, 2));
  }

  /** {@code [batch, rows, width]} as {@code [batch, heads, rows, width / heads]}; a view. */
  public static Tensor ofRows(Tensor rows, long heads) {
    return split(rows, heads).transpose(1, 2);
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
