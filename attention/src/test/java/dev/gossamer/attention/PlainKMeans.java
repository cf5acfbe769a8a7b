package dev.gossamer.attention;

/** The steps of k-means by plain loops in float64: an oracle, slow and easy to read. */
public final class PlainKMeans {
  private PlainKMeans() {}

  /** The centroid at the smallest Euclidean distance of each token; ties go to the lowest. */
  public static int[] nearest(double[][] tokens, double[][] centroids) {
    int[] labels = new int[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      for (int j = 1; j < centroids.length; j++) {
        if (squaredDistance(tokens[i], centroids[j])
            < squaredDistance(tokens[i], centroids[labels[i]])) {
          labels[i] = j;
        }
      }
    }
    return labels;
  }

  /** The centroid of the largest inner product with each token; ties go to the lowest. */
  public static int[] mostAligned(double[][] tokens, double[][] centroids) {
    int[] labels = new int[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      for (int j = 1; j < centroids.length; j++) {
        if (dot(tokens[i], centroids[j]) > dot(tokens[i], centroids[labels[i]])) {
          labels[i] = j;
        }
      }
    }
    return labels;
  }

  /** Mean of the tokens of each cluster; zero for an empty one. */
  public static double[][] means(double[][] tokens, int[] labels, int clusters) {
    double[][] means = new double[clusters][tokens[0].length];
    int[] sizes = sizes(labels, clusters);
    for (int i = 0; i < tokens.length; i++) {
      for (int t = 0; t < tokens[i].length; t++) {
        means[labels[i]][t] += tokens[i][t] / sizes[labels[i]];
      }
    }
    return means;
  }

  public static int[] sizes(int[] labels, int clusters) {
    int[] sizes = new int[clusters];
    for (int label : labels) {
      sizes[label]++;
    }
    return sizes;
  }

  /** Sum over tokens of the squared distance to the centroid that the label names. */
  public static double squaredError(double[][] tokens, double[][] centroids, int[] labels) {
    double sum = 0;
    for (int i = 0; i < tokens.length; i++) {
      sum += squaredDistance(tokens[i], centroids[labels[i]]);
    }
    return sum;
  }

  /** Rows brought to length one; zero rows stay. */
  public static double[][] directions(double[][] rows) {
    double[][] directions = new double[rows.length][];
    for (int i = 0; i < rows.length; i++) {
      double length = Math.max(1e-6, Math.sqrt(dot(rows[i], rows[i])));
      directions[i] = new double[rows[i].length];
      for (int t = 0; t < rows[i].length; t++) {
        directions[i][t] = rows[i][t] / length;
      }
    }
    return directions;
  }

  public static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int t = 0; t < a.length; t++) {
      sum += a[t] * b[t];
    }
    return sum;
  }

  public static double squaredDistance(double[] a, double[] b) {
    double sum = 0;
    for (int t = 0; t < a.length; t++) {
      sum += (a[t] - b[t]) * (a[t] - b[t]);
    }
    return sum;
  }
}
