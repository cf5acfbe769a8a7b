package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Queries, keys and values of one head as the products want them: sorted by cluster, in the type of
 * the products, with four columns behind. A query row is {@code [s q | -z in two parts | 1 | t | 0
 * ..]}, a key row {@code [k - mean(k) | 1 | 1 | bias | 0 | 0 ..]}, so that one product gives scaled
 * logits with their bias, less a number z of the query's own; t is the logit that a key of zeros
 * with a one in that column has. Both are zero unless {@link #besideTail} says more. Taking the
 * mean key away changes no softmax and leaves the rounding of bf16 smaller numbers to round.
 *
 * @param queries {@code [tokens, width]}
 * @param keys {@code [tokens, width]}, bias 0, which is also what k-means by distance wants
 * @param values {@code [tokens, headDim]}
 * @param headDim columns that carry numbers; {@code width} is the next multiple of 8 above it
 */
public record Operands(Tensor queries, Tensor keys, Tensor values, int headDim) {
  /** The bias of a key that must not be seen; the exponential of it is zero in any type. */
  public static final double UNSEEN = -1e30;

  /** Columns of a query or key row: the head, four more, zeros up to a multiple of 8. */
  public static int width(int headDim) {
    return (headDim + 11) / 8 * 8;
  }

  /**
   * Sorts rows that {@link #queryRows} and {@link #keyRows} made.
   *
   * @param value {@code [tokens, headDim]} of one head
   * @param products type of the products
   */
  public static Operands of(
      Tensor queryRows,
      Tensor keyRows,
      Tensor value,
      ClusterLayout queries,
      ClusterLayout keys,
      DType products) {
    int headDim = (int) value.size(1);
    try (Scope scope = Scope.open()) {
      Tensor keyOrder = keys.order();
      return new Operands(
          scope.keep(queryRows.indexSelect(0, queries.order())),
          scope.keep(keyRows.indexSelect(0, keyOrder)),
          scope.keep(value.to(products).contiguous().indexSelect(0, keyOrder)),
          headDim);
    }
  }

  /**
   * Queries as rows {@code [s q | 0 | 0 | 1 | 0 ..]}.
   *
   * @param query {@code [tokens, headDim]} of one head
   */
  public static Tensor queryRows(Tensor query, DType products) {
    long headDim = query.size(1);
    Tensor rows = Tensor.zeros(products, query.size(0), width((int) headDim));
    try (Scope scope = Scope.open()) {
      rows.narrow(1, 0, headDim).copyFrom(query);
      rows.narrow(1, 0, headDim).mulInPlace(1 / Math.sqrt(headDim));
      rows.narrow(1, biasColumn((int) headDim), 1).fill(1);
    }
    return rows;
  }

  /**
   * Keys as rows {@code [k - mean | 1 | 1 | 0 ..]}.
   *
   * @param key {@code [tokens, headDim]} of one head
   * @param mean float32 {@code [1, headDim]}, or any other vector to take from every key
   */
  public static Tensor keyRows(Tensor key, Tensor mean, DType products) {
    long headDim = key.size(1);
    Tensor rows = Tensor.zeros(products, key.size(0), width((int) headDim));
    try (Scope scope = Scope.open()) {
      rows.narrow(1, 0, headDim).copyFrom(key.to(DType.FLOAT32).sub(mean));
      rows.narrow(1, headDim, 2).fill(1);
    }
    return rows;
  }

  /** The column of a key row that holds its bias. */
  static int biasColumn(int headDim) {
    return headDim + 2;
  }

  /** The column of a key row that is one for the tail and zero for every key. */
  static int tailColumn(int headDim) {
    return headDim + 3;
  }

  /**
   * Gives every query its tail as one key: its logit, and a number that all other logits are less
   * by, so that bf16 has small numbers to round. That number goes into two columns for the same
   * reason.
   *
   * @param rest sorted as the queries
   */
  void besideTail(CoarseAttention.Rest rest) {
    try (Scope scope = Scope.open()) {
      Tensor less = rest.logSums().neg();
      Tensor high = less.to(queries.dtype());
      queries.narrow(1, headDim, 1).copyFrom(high);
      queries.narrow(1, headDim + 1, 1).copyFrom(less.sub(high.to(DType.FLOAT32)));
      queries.narrow(1, tailColumn(headDim), 1).copyFrom(rest.sums().log());
    }
  }
}
