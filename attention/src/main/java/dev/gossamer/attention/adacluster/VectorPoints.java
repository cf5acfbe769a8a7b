package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.attention.vector.VectorMemory;
import dev.gossamer.attention.vector.VectorTile;
import dev.gossamer.tensor.Tensor;

/**
 * Keys and values sorted by cluster, behind them each cluster as one point: its mean key, its mean
 * value. Rows of {@code stride} numbers, of which those behind {@code headDim} are zero.
 *
 * @param keys {@code [tokens + clusters][stride]}, possibly longer
 * @param values likewise
 * @param variances {@code [clusters][headDim]}, biased
 * @param logSizes {@code [clusters]}
 */
record VectorPoints(
    ClusterLayout layout,
    int headDim,
    int stride,
    float[] keys,
    float[] values,
    float[] variances,
    float[] logSizes) {

  /** Sorts rows of {@code headDim} numbers into arrays of {@code memory}. */
  static VectorPoints sort(
      float[] key, float[] value, ClusterLayout layout, int headDim, VectorMemory memory) {
    int stride = VectorTile.stride(headDim);
    int rows = layout.tokens() + layout.clusters();
    float[] keys = memory.floats(VectorMemory.Use.SORTED_KEYS, rows * stride);
    float[] values = memory.floats(VectorMemory.Use.SORTED_VALUES, rows * stride);
    gather(key, layout.tokensInOrder(), headDim, stride, keys);
    gather(value, layout.tokensInOrder(), headDim, stride, values);
    VectorPoints points =
        new VectorPoints(
            layout,
            headDim,
            stride,
            keys,
            values,
            new float[layout.clusters() * headDim],
            new float[layout.clusters()]);
    for (int cluster = 0; cluster < layout.clusters(); cluster++) {
      points.summarise(cluster);
    }
    return points;
  }

  private static void gather(float[] from, int[] order, int headDim, int stride, float[] to) {
    for (int position = 0; position < order.length; position++) {
      System.arraycopy(from, order[position] * headDim, to, position * stride, headDim);
      for (int i = headDim; i < stride; i++) {
        to[position * stride + i] = 0;
      }
    }
  }

  private void summarise(int cluster) {
    int size = layout.size(cluster);
    logSizes[cluster] = size == 0 ? 0 : (float) Math.log(size);
    int point = (layout.tokens() + cluster) * stride;
    float share = 1f / Math.max(1, size);
    mean(keys, cluster, share, point);
    mean(values, cluster, share, point);
    int spread = cluster * headDim;
    for (int row = layout.start(cluster); row < layout.start(cluster + 1); row++) {
      for (int i = 0; i < headDim; i++) {
        float apart = keys[row * stride + i] - keys[point + i];
        variances[spread + i] += apart * apart;
      }
    }
    for (int i = 0; i < headDim; i++) {
      variances[spread + i] *= share;
    }
  }

  private void mean(float[] rows, int cluster, float share, int to) {
    for (int i = 0; i < stride; i++) {
      rows[to + i] = 0;
    }
    for (int row = layout.start(cluster); row < layout.start(cluster + 1); row++) {
      for (int i = 0; i < headDim; i++) {
        rows[to + i] += rows[row * stride + i];
      }
    }
    for (int i = 0; i < headDim; i++) {
      rows[to + i] *= share;
    }
  }

  /** Number of a mean key: where it begins in {@link #keys}. */
  int point(int cluster) {
    return (layout.tokens() + cluster) * stride;
  }

  /**
   * Lists the keys of the clusters that a group selects.
   *
   * @return how many
   */
  int selected(KeySelection selection, int group, int[] rows) {
    int count = 0;
    for (int at = selection.start(group); at < selection.end(group); at++) {
      int cluster = selection.cluster(at);
      int end = layout.start(cluster + 1) * stride;
      for (int row = layout.start(cluster) * stride; row < end; row += stride) {
        rows[count++] = row;
      }
    }
    return count;
  }

  /**
   * Lists the points of the other clusters.
   *
   * @param from where the list goes on
   * @param bias written from 0 on: what their logits have on top
   * @return how many
   */
  int unselected(KeySelection selection, int group, int[] rows, int from, float[] bias) {
    int count = 0;
    int at = selection.start(group);
    for (int cluster = 0; cluster < layout.clusters(); cluster++) {
      if (at < selection.end(group) && selection.cluster(at) == cluster) {
        at++;
      } else if (layout.size(cluster) > 0) {
        rows[from + count] = point(cluster);
        bias[count++] = logSizes[cluster];
      }
    }
    return count;
  }

  /** As the scorers want it. */
  KeyStatistics statistics() {
    int clusters = layout.clusters();
    float[] means = new float[clusters * headDim];
    float[] meanValues = new float[clusters * headDim];
    for (int cluster = 0; cluster < clusters; cluster++) {
      System.arraycopy(keys, point(cluster), means, cluster * headDim, headDim);
      System.arraycopy(values, point(cluster), meanValues, cluster * headDim, headDim);
    }
    return new KeyStatistics(
        Tensor.of(means, clusters, headDim),
        Tensor.of(variances, clusters, headDim),
        Tensor.of(meanValues, clusters, headDim),
        KeyStatistics.logSizes(layout),
        layout.divisors());
  }
}
