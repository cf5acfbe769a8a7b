package dev.gossamer.attention;

/**
 * Attention by plain loops in float64: the oracle of this module's tests, slow and easy to read.
 * One head; rows are {@code [tokens][headDim]}.
 */
public final class PlainAttention {
  private PlainAttention() {}

  /** softmax(q k^T / sqrt(d)) v over all keys. */
  public static double[][] dense(double[][] q, double[][] k, double[][] v) {
    int[] oneCluster = new int[k.length];
    boolean[][] everything = new boolean[q.length][1];
    for (boolean[] row : everything) {
      row[0] = true;
    }
    return selected(q, k, v, oneCluster, everything);
  }

  /**
   * Each query attends to the keys of its selected clusters and to nothing else; zero if it selects
   * nothing.
   *
   * @param keyLabels cluster of each key
   * @param selected {@code [queries][clusters]}
   */
  public static double[][] selected(
      double[][] q, double[][] k, double[][] v, int[] keyLabels, boolean[][] selected) {
    double[][] output = new double[q.length][];
    for (int i = 0; i < q.length; i++) {
      Softmax softmax = new Softmax(v[0].length);
      for (int j = 0; j < k.length; j++) {
        if (selected[i][keyLabels[j]]) {
          softmax.add(logit(q[i], k[j]), v[j]);
        }
      }
      output[i] = softmax.result();
    }
    return output;
  }

  /**
   * As {@link #selected}, and every other non-empty cluster counts as one point: the logit of its
   * mean key plus log of its size, with its mean value (AdaCluster 1.9).
   */
  public static double[][] withTail(
      double[][] q, double[][] k, double[][] v, int[] keyLabels, boolean[][] selected) {
    int clusters = selected[0].length;
    int[] sizes = PlainKMeans.sizes(keyLabels, clusters);
    double[][] meanKeys = PlainKMeans.means(k, keyLabels, clusters);
    double[][] meanValues = PlainKMeans.means(v, keyLabels, clusters);
    double[][] output = new double[q.length][];
    for (int i = 0; i < q.length; i++) {
      Softmax softmax = new Softmax(v[0].length);
      for (int j = 0; j < k.length; j++) {
        if (selected[i][keyLabels[j]]) {
          softmax.add(logit(q[i], k[j]), v[j]);
        }
      }
      for (int c = 0; c < clusters; c++) {
        if (!selected[i][c] && sizes[c] > 0) {
          softmax.add(logit(q[i], meanKeys[c]) + Math.log(sizes[c]), meanValues[c]);
        }
      }
      output[i] = softmax.result();
    }
    return output;
  }

  /** Share of each query's softmax over all keys that lies in each cluster, [queries][clusters]. */
  public static double[][] masses(double[][] q, double[][] k, int[] keyLabels, int clusters) {
    double[][] indicators = new double[k.length][clusters];
    for (int j = 0; j < k.length; j++) {
      indicators[j][keyLabels[j]] = 1;
    }
    return dense(q, k, indicators);
  }

  /**
   * The worst row: largest difference in it over its Euclidean length. NaN if the rows hold one.
   */
  public static double worstRow(double[][] actual, double[][] expected) {
    double worst = 0;
    for (int i = 0; i < expected.length; i++) {
      double largest = 0;
      double squares = 0;
      for (int t = 0; t < expected[i].length; t++) {
        double difference = Math.abs(actual[i][t] - expected[i][t]);
        largest = Math.max(largest, difference); // NaN wins
        squares += expected[i][t] * expected[i][t];
      }
      worst = Math.max(worst, squares == 0 ? largest : largest / Math.sqrt(squares));
    }
    return worst;
  }

  private static double logit(double[] q, double[] k) {
    return PlainKMeans.dot(q, k) / Math.sqrt(q.length);
  }

  /** A weighted mean whose weights are exponentials, safe for large ones. */
  private static final class Softmax {
    private double largest = Double.NEGATIVE_INFINITY;
    private double weights;
    private final double[] sum;

    Softmax(int width) {
      sum = new double[width];
    }

    void add(double logit, double[] value) {
      if (logit > largest) {
        double shrink = Math.exp(largest - logit);
        weights *= shrink;
        for (int t = 0; t < sum.length; t++) {
          sum[t] *= shrink;
        }
        largest = logit;
      }
      double weight = Math.exp(logit - largest);
      weights += weight;
      for (int t = 0; t < sum.length; t++) {
        sum[t] += weight * value[t];
      }
    }

    double[] result() {
      double[] mean = new double[sum.length];
      for (int t = 0; t < sum.length && weights > 0; t++) {
        mean[t] = sum[t] / weights;
      }
      return mean;
    }
  }
}
