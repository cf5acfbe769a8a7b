package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.cuda.HeadKMeans;
import dev.gossamer.attention.cuda.HeadLayouts;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * {@link KeyClustering}'s thresholds for all heads at once on a device, which the host asks once a
 * stage how many outliers are left.
 */
final class KeyStages {
  private static final int STAGE_ITERATIONS = 3;
  private static final double FEW_OUTLIERS = 0.005;
  private static final double MOSTLY_OUTLIERS = 0.25;
  private static final int FEWEST_NEW = 8;

  private final Tensor keys; // float32 [heads, tokens, headDim], centred
  private final AdaClusterSettings settings;
  private final long[] seeds;

  /**
   * @param keys {@code [heads, tokens, headDim]}, less their mean
   */
  KeyStages(Tensor keys, AdaClusterSettings settings, long[] seeds) {
    this.keys = keys;
    this.settings = settings;
    this.seeds = seeds;
  }

  /** Mean over heads of the mean distance and mean squared distance after a first clustering. */
  KeyClustering.Dispersion dispersion() {
    try (Scope scope = Scope.open()) {
      HeadKMeans kmeans = new HeadKMeans(keys, settings.keyPartition().metric());
      int clusters = settings.firstKeyClustersFor((int) keys.size(1));
      Tensor distances =
          kmeans
              .lloyd(kmeans.seeds(clusters, seeds), Optional.empty(), STAGE_ITERATIONS)
              .distances();
      double[] means =
          Tensor.stack(0, List.of(distances.mean(), distances.square().mean())).toDoubles();
      return new KeyClustering.Dispersion(means[0], means[1]);
    }
  }

  /**
   * What the thresholds found.
   *
   * @param centroids float32 {@code [heads, clusters, headDim]}, those of a head in front
   * @param counts INT32 {@code [heads]}: how many a head has
   * @param hard whether the layer does not compress
   */
  record Found(Tensor centroids, Tensor counts, boolean hard) {}

  /** Runs the stages; tensors in the current scope. */
  Found run(double tau) {
    try (Scope scope = Scope.open()) {
      long tokens = keys.size(1);
      int first = settings.firstKeyClustersFor((int) tokens);
      int most = settings.maxKeyClustersFor((int) tokens);
      Tensor active = Tensor.zeros(DType.BOOL, keys.device(), keys.size(0), tokens).logicalNot();
      List<Tensor> centroids = new ArrayList<>();
      List<Tensor> real = new ArrayList<>();
      int clusters = Math.min(first, most);
      int total = 0;
      boolean hard = false;
      for (int stage = 0; stage < settings.maxStages() && !hard; stage++) {
        active = stage(active, clusters, tau, total, centroids, real);
        total += clusters;
        double share = active.to(DType.FLOAT32).mean().item();
        if (share < FEW_OUTLIERS) {
          break;
        }
        clusters = Math.max(FEWEST_NEW, Math.min(first, (int) Math.ceil(2 * first * share)));
        boolean last = stage == settings.maxStages() - 1;
        if (total + clusters > most || last && share > MOSTLY_OUTLIERS) {
          hard = true;
          if (most > total) {
            stage(active, most - total, Double.POSITIVE_INFINITY, total, centroids, real);
          }
        }
      }
      return packed(scope, Tensor.cat(1, centroids), Tensor.cat(1, real), hard);
    }
  }

  /** Clusters the active tokens; gives back those farther than tau. */
  private Tensor stage(
      Tensor active,
      int clusters,
      double tau,
      int found,
      List<Tensor> centroids,
      List<Tensor> real) {
    long[] shifts = java.util.Arrays.stream(seeds).map(seed -> seed + found).toArray();
    HeadKMeans kmeans = new HeadKMeans(keys, settings.keyPartition().metric(), Optional.of(active));
    HeadKMeans.Clustering clustering =
        kmeans.lloyd(kmeans.seeds(clusters, shifts), Optional.empty(), STAGE_ITERATIONS);
    Tensor near = clustering.distances().gt(tau).logicalNot();
    Tensor kept = active.mul(near);
    HeadLayouts layouts =
        HeadLayouts.of(clustering.labels().maskedFill(kept.logicalNot(), clusters), clusters + 1L);
    Tensor sizes = layouts.sizes().narrow(1, 0, clusters).to(DType.FLOAT32);
    Tensor sums = layouts.sums(keys).narrow(1, 0, clusters);
    centroids.add(sums.div(sizes.clamp(1, Double.POSITIVE_INFINITY).unsqueeze(2)));
    real.add(sizes.gt(0));
    return active.mul(near.logicalNot());
  }

  /** Moves each head's centroids to the front. */
  private static Found packed(Scope scope, Tensor centroids, Tensor real, boolean hard) {
    Tensor order = real.to(DType.INT64).argsort(1, true); // stable
    Tensor counts = real.to(DType.INT32).sum(false, 1).clamp(1, Integer.MAX_VALUE);
    long most = (long) counts.amax().item();
    Tensor picks =
        order.narrow(1, 0, most).unsqueeze(2).expand(order.size(0), most, centroids.size(2));
    return new Found(
        scope.keep(centroids.gather(1, picks)), scope.keep(counts.to(DType.INT32)), hard);
  }

  /** BOOL {@code [heads, clusters]}: the centroids that a head has. */
  static Tensor real(Tensor counts, Tensor centroids) {
    Device device = centroids.device();
    long clusters = centroids.size(1);
    return Tensor.arange(clusters, DType.INT32, device).unsqueeze(0).sub(counts.unsqueeze(1)).lt(0);
  }
}
