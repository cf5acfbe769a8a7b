package dev.gossamer.attention.kmeans;

import dev.gossamer.attention.vector.VectorKernels;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * {@link KMeans} in float32 on the processor's vectors: a strip of scores never leaves the
 * second-level cache, and its maxima are found while it is there. Ties go to the lowest centroid.
 *
 * <p>Not thread-safe; one object per head and call.
 */
public final class VectorKMeans implements Lloyd {
  private static final double SHORTEST = 1e-6;
  private static final int STRIP = 64; // tokens; their scores with 256 centroids take 64 KiB

  private final float[] rows;
  private final int start;
  private final int count;
  private final int headDim;
  private final KMeans.Metric metric;
  private final float[] lengths; // of the tokens; only angles need them
  private float[] closeness = new float[0];

  /**
   * @param rows tokens one after the other, {@code headDim} numbers each; not changed
   * @param first first token that counts
   * @param count how many do
   */
  public VectorKMeans(float[] rows, int first, int count, int headDim, KMeans.Metric metric) {
    this.rows = rows;
    this.start = first * headDim;
    this.count = count;
    this.headDim = headDim;
    this.metric = metric;
    this.lengths = metric == KMeans.Metric.ANGLE ? lengths() : new float[0];
  }

  private float[] lengths() {
    float[] lengths = new float[count];
    for (int token = 0; token < count; token++) {
      lengths[token] = (float) Math.max(SHORTEST, Math.sqrt(squares(token)));
    }
    return lengths;
  }

  /** |x|^2. Four sums side by side, else each addition waits for the one before. */
  private float squares(int token) {
    int at = start + token * headDim;
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    int i = 0;
    for (; i + 4 <= headDim; i += 4) {
      a += rows[at + i] * rows[at + i];
      b += rows[at + i + 1] * rows[at + i + 1];
      c += rows[at + i + 2] * rows[at + i + 2];
      d += rows[at + i + 3] * rows[at + i + 3];
    }
    for (; i < headDim; i++) {
      a += rows[at + i] * rows[at + i];
    }
    return (a + b) + (c + d);
  }

  @Override
  public Tensor seeds(int clusters, long shift) {
    int[] picks = Seeds.spread(clusters, count, shift);
    float[] centroids = new float[clusters * headDim];
    for (int cluster = 0; cluster < clusters; cluster++) {
      copyPoint(picks[cluster], centroids, cluster);
    }
    return Tensor.of(centroids, clusters, headDim);
  }

  /** What a centroid averages: the token itself, or its direction. */
  private void copyPoint(int token, float[] centroids, int cluster) {
    float scale = metric == KMeans.Metric.ANGLE ? 1 / lengths[token] : 1;
    for (int i = 0; i < headDim; i++) {
      centroids[cluster * headDim + i] = rows[start + token * headDim + i] * scale;
    }
  }

  @Override
  public KMeans.Clustering lloyd(Tensor centroids, int iterations) {
    int clusters = (int) centroids.size(0);
    float[] current = centroids.toFloats();
    int[] labels = new int[count];
    for (int i = 0; i < iterations; i++) {
      labels = assign(current, clusters);
      current = update(current, clusters, labels);
    }
    return new KMeans.Clustering(Tensor.of(current, clusters, headDim), labels);
  }

  private int[] assign(float[] centroids, int clusters) {
    int width = VectorKernels.padded(clusters);
    float[] across = new float[headDim * width];
    float[] bias = new float[width];
    Arrays.fill(bias, clusters, width, VectorKernels.UNSEEN);
    for (int cluster = 0; cluster < clusters; cluster++) {
      float half = 0;
      for (int i = 0; i < headDim; i++) {
        float number = centroids[cluster * headDim + i];
        across[i * width + cluster] = number;
        half += number * number / 2;
      }
      bias[cluster] = metric == KMeans.Metric.ANGLE ? 0 : -half;
    }
    int[] labels = new int[count];
    closeness = new float[count];
    float[] scores = new float[STRIP * width];
    float[] lanes = new float[2 * VectorKernels.LANES];
    int[] at = new int[STRIP];
    for (int from = 0; from < count; from += STRIP) {
      int tokens = Math.min(STRIP, count - from);
      for (int i = 0; i < STRIP; i++) {
        at[i] = start + Math.min(from + i, count - 1) * headDim;
      }
      VectorKernels.products(
          rows, at, 0, VectorKernels.paddedRows(tokens), headDim, across, width, scores);
      for (int i = 0; i < tokens; i++) {
        int label = VectorKernels.argmax(scores, i * width, width, bias, lanes);
        labels[from + i] = label;
        closeness[from + i] = scores[i * width + label] + bias[label];
      }
    }
    return labels;
  }

  private float[] update(float[] centroids, int clusters, int[] labels) {
    int[] sizes = Seeds.sizes(labels, clusters);
    float[] moved = new float[clusters * headDim];
    for (int token = 0; token < count; token++) {
      int to = labels[token] * headDim;
      int from = start + token * headDim;
      float scale = metric == KMeans.Metric.ANGLE ? 1 / lengths[token] : 1;
      for (int i = 0; i < headDim; i++) {
        moved[to + i] += rows[from + i] * scale;
      }
    }
    for (int cluster = 0; cluster < clusters; cluster++) {
      settle(centroids, cluster, sizes[cluster], moved);
    }
    reseed(moved, labels, sizes);
    return moved;
  }

  /** Sum to mean, or to a direction; a cluster without either stays where it was. */
  private void settle(float[] before, int cluster, int size, float[] moved) {
    int at = cluster * headDim;
    float divisor = size;
    if (metric == KMeans.Metric.ANGLE) {
      float squares = 0;
      for (int i = 0; i < headDim; i++) {
        squares += moved[at + i] * moved[at + i];
      }
      divisor = (float) Math.sqrt(squares);
    }
    boolean keeps = metric == KMeans.Metric.ANGLE ? !(divisor > SHORTEST) : size == 0;
    for (int i = 0; i < headDim; i++) {
      moved[at + i] = keeps ? before[at + i] : moved[at + i] / divisor;
    }
  }

  private void reseed(float[] centroids, int[] labels, int[] sizes) {
    int empty = (int) Arrays.stream(sizes).filter(size -> size == 0).count();
    if (empty == 0) {
      return;
    }
    int[] far = Seeds.farthest(distances(), labels, sizes, empty);
    int next = 0;
    for (int cluster = 0; cluster < sizes.length && next < far.length; cluster++) {
      if (sizes[cluster] == 0) {
        copyPoint(far[next++], centroids, cluster);
      }
    }
  }

  /** Distance of every token from its centroid at the last assignment: Euclidean, or 1 - cosine. */
  private float[] distances() {
    float[] distances = new float[count];
    for (int token = 0; token < count; token++) {
      distances[token] =
          metric == KMeans.Metric.ANGLE
              ? 1 - closeness[token] / lengths[token]
              : (float) Math.sqrt(Math.max(0, squares(token) - 2 * closeness[token]));
    }
    return distances;
  }
}
