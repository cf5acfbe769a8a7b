package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * What scoring and the tail want to know of each key cluster, from the labels actually used.
 *
 * @param means float32 {@code [clusters, headDim]}; zero for an empty cluster
 * @param variances float32 {@code [clusters, headDim]}, biased
 * @param meanValues float32 {@code [clusters, headDim]}
 * @param logSizes float32 {@code [clusters, 1]}; {@link Operands#UNSEEN} for an empty cluster
 * @param sizes float32 {@code [clusters, 1]}, at least 1
 */
public record KeyStatistics(
    Tensor means, Tensor variances, Tensor meanValues, Tensor logSizes, Tensor sizes) {

  public static KeyStatistics of(Operands operands, ClusterLayout layout) {
    try (Scope scope = Scope.open()) {
      long headDim = operands.headDim();
      Tensor labels = layout.sortedLabels();
      Tensor keys = operands.keys().narrow(1, 0, headDim).to(DType.FLOAT32).contiguous();
      Tensor sizes = layout.divisors();
      Tensor means = sums(keys, labels, layout).div(sizes);
      Tensor variances =
          sums(keys.square(), labels, layout)
              .div(sizes)
              .sub(means.square())
              .clamp(0, Double.POSITIVE_INFINITY);
      Tensor values = sums(operands.values().to(DType.FLOAT32), labels, layout).div(sizes);
      return new KeyStatistics(
          scope.keep(means),
          scope.keep(variances),
          scope.keep(values),
          scope.keep(logSizes(layout)),
          scope.keep(sizes));
    }
  }

  /** float32 {@code [clusters, 1]}; {@link Operands#UNSEEN} for an empty cluster. */
  public static Tensor logSizes(ClusterLayout layout) {
    float[] logs = new float[layout.clusters()];
    for (int cluster = 0; cluster < logs.length; cluster++) {
      int size = layout.size(cluster);
      logs[cluster] = size == 0 ? (float) Operands.UNSEEN : (float) Math.log(size);
    }
    return Tensor.of(logs, logs.length, 1);
  }

  private static Tensor sums(Tensor rows, Tensor labels, ClusterLayout layout) {
    return Tensor.zeros(DType.FLOAT32, layout.clusters(), rows.size(1)).indexAdd(0, labels, rows);
  }

  /** The clusters as one point each, in the type of the products. */
  public ClusterTail tail(DType products) {
    try (Scope scope = Scope.open()) {
      int headDim = (int) means.size(1);
      Tensor keys = Tensor.zeros(products, means.size(0), Operands.width(headDim));
      keys.narrow(1, 0, headDim).copyFrom(means);
      keys.narrow(1, Operands.biasColumn(headDim), 1).copyFrom(logSizes);
      Tensor values = scope.keep(meanValues.to(products).contiguous());
      return new ClusterTail(scope.keep(keys), values);
    }
  }

  /**
   * Largest and smallest key of each cluster in every dimension.
   *
   * @return float32 {@code [2, clusters, headDim]}: maxima, then minima; zero for an empty cluster
   */
  public static Tensor extremes(Operands operands, ClusterLayout layout) {
    int headDim = operands.headDim();
    try (Scope scope = Scope.open()) {
      float[] keys = operands.keys().narrow(1, 0, headDim).toFloats();
      return scope.keep(extremes(keys, headDim, layout));
    }
  }

  /**
   * The same of an array.
   *
   * @param keys {@code [tokens][headDim]}, sorted
   */
  public static Tensor extremes(float[] keys, int headDim, ClusterLayout layout) {
    int clusters = layout.clusters();
    float[] result = new float[2 * clusters * headDim];
    for (int cluster = 0; cluster < clusters; cluster++) {
      int max = cluster * headDim;
      int min = (clusters + cluster) * headDim;
      int from = layout.start(cluster);
      int to = layout.start(cluster + 1);
      if (from == to) {
        continue;
      }
      Arrays.fill(result, max, max + headDim, Float.NEGATIVE_INFINITY);
      Arrays.fill(result, min, min + headDim, Float.POSITIVE_INFINITY);
      for (int token = from; token < to; token++) {
        for (int i = 0; i < headDim; i++) {
          float key = keys[token * headDim + i];
          result[max + i] = Math.max(result[max + i], key);
          result[min + i] = Math.min(result[min + i], key);
        }
      }
    }
    return Tensor.of(result, 2, clusters, headDim);
  }
}
