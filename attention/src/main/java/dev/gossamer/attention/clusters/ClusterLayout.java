package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Tokens sorted by cluster: a stable counting sort of labels. Tokens of a cluster become
 * neighbours, so that a cluster is one contiguous range; inside it they keep their order.
 */
public final class ClusterLayout {
  private final int[] order;
  private final int[] offsets;

  private ClusterLayout(int[] order, int[] offsets) {
    this.order = order;
    this.offsets = offsets;
  }

  /**
   * @param labels cluster of each token, in [0, clusters)
   * @param clusters number of clusters; some may be empty
   */
  public static ClusterLayout of(int[] labels, int clusters) {
    int[] offsets = new int[clusters + 1];
    for (int label : labels) {
      offsets[label + 1]++;
    }
    for (int cluster = 0; cluster < clusters; cluster++) {
      offsets[cluster + 1] += offsets[cluster];
    }
    int[] next = offsets.clone();
    int[] order = new int[labels.length];
    for (int token = 0; token < labels.length; token++) {
      order[next[labels[token]]++] = token;
    }
    return new ClusterLayout(order, offsets);
  }

  /** Blocks of neighbouring tokens, the last one shorter: no clustering at all. */
  public static ClusterLayout contiguous(int tokens, int blockTokens) {
    int[] labels = new int[tokens];
    for (int token = 0; token < tokens; token++) {
      labels[token] = token / blockTokens;
    }
    return of(labels, (tokens + blockTokens - 1) / blockTokens);
  }

  public int tokens() {
    return order.length;
  }

  public int clusters() {
    return offsets.length - 1;
  }

  public int size(int cluster) {
    return offsets[cluster + 1] - offsets[cluster];
  }

  /** Sorted position of the first token of a cluster; {@code start(clusters())} is the end. */
  public int start(int cluster) {
    return offsets[cluster];
  }

  public int nonEmpty() {
    int count = 0;
    for (int cluster = 0; cluster < clusters(); cluster++) {
      count += size(cluster) > 0 ? 1 : 0;
    }
    return count;
  }

  public int largest() {
    int largest = 0;
    for (int cluster = 0; cluster < clusters(); cluster++) {
      largest = Math.max(largest, size(cluster));
    }
    return largest;
  }

  /** INT64, because libtorch adds rows by INT64 indices ten times as fast as by INT32. */
  private static Tensor index(int[] numbers) {
    try (Scope scope = Scope.open()) {
      return scope.keep(Tensor.of(numbers, numbers.length).to(DType.INT64));
    }
  }

  /** The token at each sorted position; not to be changed. */
  public int[] tokensInOrder() {
    return order;
  }

  /** INT64 [tokens]: the token at each sorted position. */
  public Tensor order() {
    return index(order);
  }

  /** INT64 [tokens]: the sorted position of each token. */
  public Tensor inverse() {
    int[] inverse = new int[order.length];
    for (int position = 0; position < order.length; position++) {
      inverse[order[position]] = position;
    }
    return index(inverse);
  }

  /** INT64 [tokens]: the cluster at each sorted position, ascending. */
  public Tensor sortedLabels() {
    int[] labels = new int[order.length];
    for (int cluster = 0; cluster < clusters(); cluster++) {
      java.util.Arrays.fill(labels, offsets[cluster], offsets[cluster + 1], cluster);
    }
    return index(labels);
  }

  /** The cluster of each token, in the tokens' own order. */
  public int[] labels() {
    int[] labels = new int[order.length];
    for (int cluster = 0; cluster < clusters(); cluster++) {
      for (int position = offsets[cluster]; position < offsets[cluster + 1]; position++) {
        labels[order[position]] = cluster;
      }
    }
    return labels;
  }

  /** float32 [clusters, 1]: tokens of each cluster, at least 1 so that it can divide. */
  public Tensor divisors() {
    float[] sizes = new float[clusters()];
    for (int cluster = 0; cluster < sizes.length; cluster++) {
      sizes[cluster] = Math.max(1, size(cluster));
    }
    return Tensor.of(sizes, sizes.length, 1);
  }
}
