package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Tokens of each head sorted by cluster, in their own order inside a cluster. Tensors on the
 * device, in the scope in which it is made.
 *
 * @param labels INT64 {@code [heads, tokens]}: cluster of each token
 * @param order INT64 {@code [heads, tokens]}: the token at each sorted position
 * @param sorted INT64 {@code [heads, tokens]}: the cluster at each sorted position
 * @param offsets INT64 {@code [heads, clusters + 1]}: sorted position of each cluster's first token
 */
public record HeadLayouts(Tensor labels, Tensor order, Tensor sorted, Tensor offsets) {
  public static HeadLayouts of(Tensor labels, long clusters) {
    try (Scope scope = Scope.open()) {
      Tensor order = labels.argsort(1, false);
      Tensor sorted = labels.gather(1, order);
      Tensor numbers =
          Tensor.arange(clusters + 1, DType.INT64, labels.device())
              .expand(labels.size(0), clusters + 1)
              .contiguous();
      return new HeadLayouts(
          labels,
          scope.keep(order),
          scope.keep(sorted),
          scope.keep(sorted.countBelow(numbers, false)));
    }
  }

  public long heads() {
    return order.size(0);
  }

  public long tokens() {
    return order.size(1);
  }

  public long clusters() {
    return offsets.size(1) - 1;
  }

  /** INT64 {@code [heads, clusters]}: sorted position of each cluster's first token. */
  public Tensor starts() {
    return offsets.narrow(1, 0, clusters());
  }

  /** INT64 {@code [heads, clusters]}: tokens of each cluster. */
  public Tensor sizes() {
    return offsets.narrow(1, 1, clusters()).sub(starts());
  }

  /** Rows of the tokens in sorted order. */
  public Tensor sort(Tensor rows) {
    return HeadRows.pick(rows, order);
  }

  /**
   * Sum of the rows of each cluster, in token order.
   *
   * @param rows float32 {@code [heads, tokens, columns]}, in the tokens' own order
   * @return float32 {@code [heads, clusters, columns]}
   */
  public Tensor sums(Tensor rows) {
    try (Scope scope = Scope.open()) {
      return scope.keep(HeadRows.sums(sort(rows), starts()));
    }
  }

  /** float32 {@code [heads]}: clusters that have a token. */
  public Tensor nonEmpty() {
    return sizes().gt(0).to(DType.FLOAT32).sum(false, 1);
  }
}
