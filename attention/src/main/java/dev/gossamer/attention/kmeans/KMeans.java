package dev.gossamer.attention.kmeans;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Lloyd's iterations over the tokens of one head (AdaCluster 1.2 and 1.3): assign every token to
 * its nearest centroid, move every centroid to its tokens. Deterministic: seeds are spread over the
 * sequence by the golden ratio, sums run in token order, ties go to the lowest centroid (in bf16,
 * those of scores below zero to the highest).
 *
 * <p>Not thread-safe; one object per head and call. Tensors belong to the scope in which it is
 * made.
 */
public final class KMeans implements Lloyd {
  /** What near means. */
  public enum Metric {
    /** Largest cosine: lengths of tokens do not matter, centroids have length one. */
    ANGLE,
    /** Smallest Euclidean distance. */
    EUCLIDEAN
  }

  private static final double SHORTEST = 1e-6;
  private static final int TOKENS_AT_ONCE =
      1024; // a strip of scores stays in the second-level cache

  private final Metric metric;
  private final Tensor tokens; // [tokens, width] for products: bf16 or float32
  private final Tensor points; // [tokens, headDim] float32: what the centroids average
  private final int count;
  private final int headDim;

  private float[] closeness = new float[0];

  /**
   * @param tokens {@code [tokens, headDim]} floating; products are computed in its type
   */
  public static KMeans of(Tensor tokens, Metric metric) {
    return new KMeans(withColumns(tokens, 1, 1), (int) tokens.size(1), metric);
  }

  /**
   * @param rows {@code [tokens, width]}, contiguous: the tokens, and behind them, by distance, two
   *     columns of ones; columns further on are zero, those behind an angle are ignored
   * @param headDim columns that are the token
   */
  public KMeans(Tensor rows, int headDim, Metric metric) {
    this.metric = metric;
    this.tokens = rows;
    this.count = (int) rows.size(0);
    this.headDim = headDim;
    Tensor exact = rows.narrow(1, 0, headDim).to(DType.FLOAT32);
    this.points =
        metric == Metric.ANGLE
            ? exact.div(exact.norm(1, true).clamp(SHORTEST, Double.POSITIVE_INFINITY))
            : exact.contiguous(); // libtorch adds rows of a wider tensor three times as slowly
  }

  /** The tokens with constant columns behind them, padded with zeros to a multiple of 8 columns. */
  private static Tensor withColumns(Tensor tokens, double... values) {
    long width = (tokens.size(1) + values.length + 7) / 8 * 8;
    Tensor wide = Tensor.zeros(tokens.dtype(), tokens.size(0), width);
    wide.narrow(1, 0, tokens.size(1)).copyFrom(tokens);
    for (int i = 0; i < values.length; i++) {
      wide.narrow(1, tokens.size(1) + i, 1).fill(values[i]);
    }
    return wide;
  }

  @Override
  public Tensor seeds(int clusters, long shift) {
    return points.indexSelect(0, Tensor.of(Seeds.spread(clusters, count, shift), clusters));
  }

  /**
   * The nearest centroid of every token.
   *
   * @param centroids float32 {@code [clusters, headDim]}
   * @return labels in [0, clusters); tokens with NaN land anywhere in that range
   */
  public int[] assign(Tensor centroids) {
    int clusters = (int) centroids.size(0);
    int[] labels = new int[count];
    closeness = new float[count];
    try (Scope scope = Scope.open()) {
      Tensor right = operand(centroids).transpose(0, 1);
      boolean packs = tokens.dtype() == DType.BFLOAT16 && clusters <= 0x10000;
      Tensor countdown = countdown(clusters);
      for (int from = 0; from < count; from += TOKENS_AT_ONCE) {
        int rows = Math.min(TOKENS_AT_ONCE, count - from);
        try (Scope strip = Scope.open()) {
          Tensor scores = tokens.narrow(0, from, rows).matmul(right);
          if (packs) {
            readPacked(scores, countdown, clusters, from, labels);
          } else {
            readPlain(scores, countdown, clusters, from, labels);
          }
        }
      }
    }
    return labels;
  }

  private static Tensor countdown(int clusters) {
    int[] numbers = new int[clusters];
    Arrays.setAll(numbers, cluster -> clusters - 1 - cluster);
    return Tensor.of(numbers, clusters);
  }

  /**
   * A bf16 number widened to float32 leaves 16 bits free: the cluster goes there, counted down so
   * that the lowest wins a tie (the highest, where scores are negative and the order of bits is
   * turned round), and one vectorised maximum finds value and place together.
   */
  private void readPacked(Tensor scores, Tensor countdown, int clusters, int from, int[] labels) {
    Tensor wide = scores.to(DType.FLOAT32);
    wide.reinterpret(DType.INT32).orInPlace(countdown);
    ByteBuffer best = wide.amax(false, 1).memory();
    for (int row = 0; row < best.capacity() / Float.BYTES; row++) {
      int bits = best.getInt(row * Float.BYTES);
      labels[from + row] = Math.max(0, clusters - 1 - (bits & 0xffff));
      closeness[from + row] = Float.intBitsToFloat(bits & 0xffff0000);
    }
  }

  /**
   * libtorch finds the place of a maximum one number after the other, the maximum itself many at a
   * time. So: take the row's maximum away, which leaves zero there and a sign bit everywhere else,
   * write the countdown into the bits, and take the maximum as whole numbers.
   */
  private void readPlain(Tensor scores, Tensor countdown, int clusters, int from, int[] labels) {
    Tensor wide = scores.to(DType.FLOAT32);
    Tensor best = wide.amax(true, 1);
    wide.addInPlace(best.mul(-1));
    Tensor bits = wide.reinterpret(DType.INT32);
    bits.orInPlace(countdown);
    int[] left = bits.amax(false, 1).toInts();
    for (int row = 0; row < left.length; row++) {
      labels[from + row] = Math.max(0, Math.min(clusters - 1, clusters - 1 - left[row]));
    }
    float[] values = best.toFloats();
    System.arraycopy(values, 0, closeness, from, values.length);
  }

  /** Right operand of the scores: x.c for angles, x.c - |c|^2 / 2 for distances. */
  private Tensor operand(Tensor centroids) {
    Tensor wide = Tensor.zeros(tokens.dtype(), centroids.size(0), tokens.size(1));
    if (metric == Metric.ANGLE) {
      wide.narrow(1, 0, headDim).copyFrom(centroids);
      return wide;
    }
    Tensor half = centroids.square().sum(true, 1).mul(-0.5);
    Tensor high = half.to(tokens.dtype());
    wide.narrow(1, 0, headDim).copyFrom(centroids);
    wide.narrow(1, headDim, 1).copyFrom(high);
    wide.narrow(1, headDim + 1, 1).copyFrom(half.sub(high.to(DType.FLOAT32)));
    return wide;
  }

  /**
   * Moves each centroid to the mean of its tokens (on the unit sphere for angles). A centroid
   * without tokens moves to a token that lies far from its own centroid, in a cluster that can
   * spare it, so that it is of use in the next iteration.
   *
   * @return float32 {@code [clusters, headDim]}
   */
  public Tensor update(Tensor centroids, int[] labels) {
    int clusters = (int) centroids.size(0);
    int[] sizes = Seeds.sizes(labels, clusters);
    try (Scope scope = Scope.open()) {
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, clusters, headDim)
              .indexAdd(0, Tensor.of(labels, count).to(DType.INT64), points);
      Tensor moved;
      Tensor keeps;
      if (metric == Metric.ANGLE) {
        Tensor length = sums.norm(1, true);
        keeps = length.gt(SHORTEST).logicalNot();
        moved = sums.div(length.clamp(SHORTEST, Double.POSITIVE_INFINITY));
      } else {
        Tensor n = divisors(sizes);
        keeps = Tensor.of(sizes, clusters, 1).eq(0);
        moved = sums.div(n);
      }
      moved = keeps.where(centroids, moved);
      reseed(moved, labels, sizes);
      return scope.keep(moved);
    }
  }

  private void reseed(Tensor centroids, int[] labels, int[] sizes) {
    int empty = (int) Arrays.stream(sizes).filter(size -> size == 0).count();
    if (empty == 0 || closeness.length != count) {
      return;
    }
    int[] far = Seeds.farthest(distances(), labels, sizes, empty);
    int next = 0;
    for (int cluster = 0; cluster < sizes.length && next < far.length; cluster++) {
      if (sizes[cluster] == 0) {
        centroids.narrow(0, cluster, 1).copyFrom(points.narrow(0, far[next++], 1));
      }
    }
  }

  /** Distance of every token from its centroid at the last assignment: Euclidean, or 1 - cosine. */
  public float[] distances() {
    float[] norms = points.square().sum(false, 1).toFloats();
    float[] result = new float[count];
    float[] lengths = metric == Metric.ANGLE ? rowLengths() : norms;
    for (int token = 0; token < count; token++) {
      result[token] =
          metric == Metric.ANGLE
              ? (float) (1 - closeness[token] / Math.max(SHORTEST, lengths[token]))
              : (float) Math.sqrt(Math.max(0, norms[token] - 2 * closeness[token]));
    }
    return result;
  }

  private float[] rowLengths() {
    return tokens.narrow(1, 0, headDim).to(DType.FLOAT32).norm(1, false).toFloats();
  }

  @Override
  public Clustering lloyd(Tensor centroids, int iterations) {
    Tensor current = centroids;
    int[] labels = new int[count];
    for (int i = 0; i < iterations; i++) {
      labels = assign(current);
      current = update(current, labels);
    }
    return new Clustering(current, labels);
  }

  /**
   * Means of some tokens per cluster; clusters without such a token are left out.
   *
   * @param kept tokens to average, ascending
   * @return float32 {@code [clusters that have one, headDim]}
   */
  public Tensor meansOf(Clustering clustering, int[] kept) {
    int clusters = (int) clustering.centroids().size(0);
    int[] labels = new int[kept.length];
    for (int i = 0; i < kept.length; i++) {
      labels[i] = clustering.labels()[kept[i]];
    }
    int[] sizes = Seeds.sizes(labels, clusters);
    int[] filled =
        java.util.stream.IntStream.range(0, clusters).filter(j -> sizes[j] > 0).toArray();
    try (Scope scope = Scope.open()) {
      Tensor rows = points.indexSelect(0, Tensor.of(kept, kept.length));
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, clusters, headDim)
              .indexAdd(0, Tensor.of(labels, labels.length).to(DType.INT64), rows);
      return scope.keep(sums.div(divisors(sizes)).indexSelect(0, Tensor.of(filled, filled.length)));
    }
  }

  /**
   * @param centroids float32 {@code [clusters, headDim]}
   * @param labels cluster of each token
   */
  public record Clustering(Tensor centroids, int[] labels) {}

  private static Tensor divisors(int[] sizes) {
    float[] divisors = new float[sizes.length];
    for (int i = 0; i < sizes.length; i++) {
      divisors[i] = Math.max(1, sizes[i]);
    }
    return Tensor.of(divisors, divisors.length, 1);
  }
}
