package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Keys by distance (AdaCluster 1.3), in as many clusters as a layer needs: q.c - q.k is at most |q|
 * |k - c|, so compact clusters make cluster scores faithful, and layers differ in how compact their
 * keys are.
 *
 * <p>Threshold-wise multi-stage clustering: cluster with a moderate number; tokens farther than tau
 * from their centroid are taken out and clustered again with a few new centroids; and so on. The
 * number of new centroids follows the mean share of outliers over heads, the outliers themselves
 * are each head's own, and so is the final number of centroids.
 */
final class KeyClustering {
  private static final int STAGE_ITERATIONS = 3;
  private static final double FEW_OUTLIERS = 0.005;
  private static final double MOSTLY_OUTLIERS = 0.25;
  private static final int FEWEST_NEW = 8;

  private KeyClustering() {}

  /**
   * What the thresholds found for one layer.
   *
   * @param centroids per head, float32 {@code [clusters, headDim]}
   * @param hard whether the layer does not compress: the cap was passed, or most tokens stayed
   *     outliers; the centroids then are as many as the cap allows
   */
  record Staged(List<Tensor> centroids, boolean hard) {}

  /**
   * Mean distance and mean squared distance of keys from their centroids after a first clustering.
   *
   * @param distance unit of the keys
   * @param squared its square
   */
  record Dispersion(double distance, double squared) {}

  /** Measures how compact the keys of one head are. */
  static Dispersion dispersion(Tensor keys, AdaClusterSettings settings, long shift) {
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(keys, settings.keyPartition().metric());
      int clusters = settings.firstKeyClustersFor((int) keys.size(0));
      kmeans.lloyd(kmeans.seeds(clusters, shift), STAGE_ITERATIONS);
      float[] distances = kmeans.distances();
      double sum = 0;
      double squares = 0;
      for (float distance : distances) {
        sum += distance;
        squares += (double) distance * distance;
      }
      return new Dispersion(sum / distances.length, squares / distances.length);
    }
  }

  /** One head on its way through the stages. */
  private static final class Head {
    private final Tensor keys;
    private final List<Tensor> found = new ArrayList<>();
    private int[] active;

    Head(Tensor keys) {
      this.keys = keys;
      this.active = IntStream.range(0, (int) keys.size(0)).toArray();
    }
  }

  /**
   * Runs the stages for all heads of a layer.
   *
   * @param keys per head, {@code [tokens, headDim]}, contiguous
   * @param tau largest distance from a centroid that counts as compact
   * @param owner scope that will own the centroids
   */
  static Staged stages(
      List<Tensor> keys,
      double tau,
      AdaClusterSettings settings,
      long shift,
      Threads threads,
      Scope owner) {
    int tokens = (int) keys.get(0).size(0);
    int first = settings.firstKeyClustersFor(tokens);
    int most = settings.maxKeyClustersFor(tokens);
    List<Head> heads = keys.stream().map(Head::new).toList();
    int clusters = Math.min(first, most);
    int total = 0;
    boolean hard = false;
    for (int stage = 0; stage < settings.maxStages(); stage++) {
      int wanted = clusters;
      threads.forEach(heads.size(), h -> stage(heads.get(h), wanted, tau, settings, shift, owner));
      total += wanted;
      double share =
          heads.stream().mapToInt(head -> head.active.length).average().orElse(0) / tokens;
      if (share < FEW_OUTLIERS) {
        break;
      }
      clusters = Math.max(FEWEST_NEW, Math.min(first, (int) Math.ceil(2 * first * share)));
      boolean last = stage == settings.maxStages() - 1;
      if (total + clusters > most || (last && share > MOSTLY_OUTLIERS)) {
        hard = true;
        int rest = most - total;
        if (rest > 0) {
          threads.forEach(
              heads.size(),
              h -> stage(heads.get(h), rest, Double.POSITIVE_INFINITY, settings, shift, owner));
        }
        break;
      }
    }
    List<Tensor> centroids = new ArrayList<>();
    for (Head head : heads) {
      centroids.add(head.found.isEmpty() ? firstKey(head, owner) : joined(head, owner));
    }
    return new Staged(centroids, hard);
  }

  private static Tensor firstKey(Head head, Scope owner) {
    try (Scope scope = Scope.open()) {
      return owner.adopt(head.keys.narrow(0, 0, 1).to(dev.gossamer.tensor.DType.FLOAT32).copy());
    }
  }

  private static Tensor joined(Head head, Scope owner) {
    try (Scope scope = Scope.open()) {
      return owner.adopt(Tensor.cat(0, head.found));
    }
  }

  /** Clusters the active tokens of one head; those farther than tau stay active. */
  private static void stage(
      Head head, int clusters, double tau, AdaClusterSettings settings, long shift, Scope owner) {
    if (head.active.length == 0) {
      return;
    }
    try (Scope scope = Scope.open()) {
      Tensor active = head.keys.indexSelect(0, Tensor.of(head.active, head.active.length));
      KMeans kmeans = KMeans.of(active, settings.keyPartition().metric());
      int wanted = Math.min(clusters, head.active.length);
      KMeans.Clustering clustering =
          kmeans.lloyd(kmeans.seeds(wanted, shift + head.found.size()), STAGE_ITERATIONS);
      float[] distances = kmeans.distances();
      int[] kept = new int[distances.length];
      int[] out = new int[distances.length];
      int keptCount = 0;
      int outCount = 0;
      for (int token = 0; token < distances.length; token++) {
        if (distances[token] <= tau) {
          kept[keptCount++] = token;
        } else {
          out[outCount++] = head.active[token];
        }
      }
      if (keptCount > 0) {
        int[] keptTokens = Arrays.copyOf(kept, keptCount);
        head.found.add(owner.adopt(kmeans.meansOf(clustering, keptTokens)));
      }
      head.active = Arrays.copyOf(out, outCount);
    }
  }
}
