package dev.gossamer.attention.kmeans;

import java.util.Arrays;

/** Which tokens become centroids: at the start, and where a cluster has lost all of its own. */
final class Seeds {
  private static final double GOLDEN_RATIO = 0.6180339887498949;

  private Seeds() {}

  /** Tokens spread over the sequence by the golden ratio, all moved by {@code shift}. */
  static int[] spread(int clusters, int tokens, long shift) {
    int[] picks = new int[clusters];
    double start = (shift & 0xffffff) / (double) 0x1000000;
    for (int j = 0; j < clusters; j++) {
      double place = start + j * GOLDEN_RATIO;
      picks[j] = (int) ((place - Math.floor(place)) * tokens);
    }
    return picks;
  }

  /** Up to {@code wanted} tokens of clusters of at least twice the mean size, farthest first. */
  static int[] farthest(float[] distance, int[] labels, int[] sizes, int wanted) {
    double spare = 2.0 * labels.length / sizes.length;
    long[] order = new long[labels.length]; // nearness, then token: positive floats sort as bits do
    int found = 0;
    for (int token = 0; token < labels.length; token++) {
      if (sizes[labels[token]] >= spare && distance[token] > 0) {
        long nearness = Integer.MAX_VALUE - Float.floatToRawIntBits(distance[token]);
        order[found++] = nearness << Integer.SIZE | token;
      }
    }
    Arrays.sort(order, 0, found);
    int[] far = new int[Math.min(wanted, found)];
    for (int i = 0; i < far.length; i++) {
      far[i] = (int) order[i];
    }
    return far;
  }

  /** Tokens of each cluster. */
  static int[] sizes(int[] labels, int clusters) {
    int[] sizes = new int[clusters];
    for (int label : labels) {
      sizes[label]++;
    }
    return sizes;
  }
}
