package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Queries, keys and values of one head as the products want them: sorted by cluster, in the type of
 * the products, with a bias column. A query row is {@code [s q | 1 | 0 ..]}, a key row {@code [k -
 * mean(k) | bias | 0 ..]}, so that one product gives scaled logits with their bias. Taking the mean
 * key away changes no softmax and leaves the rounding of bf16 smaller numbers to round.
 *
 * @param queries {@code [tokens, width]}
 * @param keys {@code [tokens, width]}, bias 0
 * @param values {@code [tokens, headDim]}
 * @param headDim columns that carry numbers; {@code width} is the next multiple of 8 above it
 */
public record Operands(Tensor queries, Tensor keys, Tensor values, int headDim) {
  /** The bias of a key that must not be seen; the exponential of it is zero in any type. */
  public static final double UNSEEN = -1e30;

  /** Columns of a query or key row: the head, the bias, zeros up to a multiple of 8. */
  public static int width(int headDim) {
    return (headDim + 8) / 8 * 8;
  }

  /**
   * @param query {@code [tokens, headDim]} of one head, likewise value
   * @param centredKey {@code [tokens, headDim]}: keys less their mean, or any other vector
   * @param products type of the products
   */
  public static Operands of(
      Tensor query,
      Tensor centredKey,
      Tensor value,
      ClusterLayout queries,
      ClusterLayout keys,
      DType products) {
    int headDim = (int) query.size(1);
    double scale = 1 / Math.sqrt(headDim);
    try (Scope scope = Scope.open()) {
      Tensor scaled = query.to(DType.FLOAT32).mul(scale);
      Tensor keyOrder = keys.order();
      Tensor sortedValues = value.to(products).contiguous().indexSelect(0, keyOrder);
      return new Operands(
          scope.keep(rows(scaled, queries.order(), 1, products)),
          scope.keep(rows(centredKey, keyOrder, 0, products)),
          scope.keep(sortedValues),
          headDim);
    }
  }

  private static Tensor rows(Tensor tokens, Tensor order, double bias, DType products) {
    Tensor sorted = tokens.to(products).indexSelect(0, order);
    return withBias(sorted, bias);
  }

  /** Rows with a constant bias column behind them and zeros up to the width. */
  public static Tensor withBias(Tensor rows, double bias) {
    long headDim = rows.size(1);
    Tensor wide = Tensor.zeros(rows.dtype(), rows.size(0), width((int) headDim));
    wide.narrow(1, 0, headDim).copyFrom(rows);
    if (bias != 0) {
      wide.narrow(1, headDim, 1).fill(bias);
    }
    return wide;
  }
}
