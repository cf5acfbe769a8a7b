package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * What scoring and the tail want to know of each key cluster of each head; sums run in token order.
 *
 * @param means float32 {@code [heads, clusters, headDim]}; zero for an empty cluster
 * @param variances float32 {@code [heads, clusters, headDim]}, biased
 * @param meanValues float32 {@code [heads, clusters, headDim]}
 * @param sizes float32 {@code [heads, clusters]}
 */
public record HeadStatistics(Tensor means, Tensor variances, Tensor meanValues, Tensor sizes) {
  private static final double UNSEEN = -1e30;

  /**
   * @param keys {@code [heads, tokens, headDim]}, sorted
   * @param values likewise
   */
  public static HeadStatistics of(Tensor keys, Tensor values, HeadLayouts layouts) {
    try (Scope scope = Scope.open()) {
      Tensor starts = layouts.starts();
      Tensor sizes = layouts.sizes().to(DType.FLOAT32);
      Tensor divisors = sizes.clamp(1, Double.POSITIVE_INFINITY).unsqueeze(2);
      Tensor exact = keys.to(DType.FLOAT32);
      Tensor means = HeadRows.sums(exact, starts).div(divisors);
      Tensor variances =
          HeadRows.sums(exact.square(), starts)
              .div(divisors)
              .sub(means.square())
              .clamp(0, Double.POSITIVE_INFINITY);
      Tensor meanValues = HeadRows.sums(values.to(DType.FLOAT32), starts).div(divisors);
      return new HeadStatistics(
          scope.keep(means), scope.keep(variances), scope.keep(meanValues), scope.keep(sizes));
    }
  }

  /** float32 {@code [heads, clusters]}: logarithm of the size; hardly seen where it is zero. */
  public Tensor logSizes() {
    try (Scope scope = Scope.open()) {
      return scope.keep(
          sizes.clamp(1, Double.POSITIVE_INFINITY).log().maskedFill(sizes.eq(0), UNSEEN));
    }
  }

  /**
   * Share of its attention that each query gives to each cluster, seen as one point.
   *
   * @param queries {@code [heads, tokens, headDim]}, scaled
   * @return float32 {@code [heads, tokens, clusters]}
   */
  public Tensor shares(Tensor queries) {
    try (Scope scope = Scope.open()) {
      Tensor logits =
          queries
              .matmul(means.to(queries.dtype()).transpose(1, 2))
              .to(DType.FLOAT32)
              .add(logSizes().unsqueeze(1));
      return scope.keep(logits.softmax(2));
    }
  }

  /**
   * Largest and smallest key of each cluster in every dimension, zero for an empty one.
   *
   * @param keys {@code [heads, tokens, headDim]}, sorted
   * @return two of float32 {@code [heads, clusters, headDim]}
   */
  public static Extremes extremes(Tensor keys, HeadLayouts layouts) {
    try (Scope scope = Scope.open()) {
      Tensor exact = keys.to(DType.FLOAT32);
      Tensor most = HeadRows.largest(exact, layouts.starts());
      Tensor least = HeadRows.largest(exact.neg(), layouts.starts()).neg();
      return new Extremes(scope.keep(most), scope.keep(least));
    }
  }

  /** See {@link #extremes}. */
  public record Extremes(Tensor largest, Tensor smallest) {}
}
