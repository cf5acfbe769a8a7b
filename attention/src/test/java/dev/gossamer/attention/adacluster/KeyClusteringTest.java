package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** AdaCluster 1.3: as many key clusters as a layer needs. */
class KeyClusteringTest {
  private static final int TOKENS = 2305;
  private static final int FIRST = 64; // K0
  private static final AdaClusterSettings SETTINGS =
      AdaClusterSettings.PAPER.withFirstKeyClusters(FIRST);

  /** 64 groups of neighbours, more or less loose; one head. */
  private static double[][] layer(double noise, long seed) {
    return Tokens.grouped(seed, TOKENS, 64, 64, 1, noise);
  }

  /** What the thresholds find: number of centroids of each head, and whether the layer is hard. */
  private record Found(List<double[][]> centroids, boolean hard) {
    int clusters() {
      return centroids.stream().mapToInt(rows -> rows.length).max().getAsInt();
    }
  }

  private static Found stages(AdaClusterSettings settings, double tau, double[][]... heads) {
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached();
        Threads threads = new Threads(1)) {
      List<Tensor> keys = Arrays.stream(heads).map(Tokens::tensor).toList();
      KeyClustering.Staged staged = KeyClustering.stages(keys, tau, settings, 11, threads, owner);
      return new Found(staged.centroids().stream().map(Tokens::rows).toList(), staged.hard());
    }
  }

  private static double meanDistance(double[][] keys) {
    try (Scope scope = Scope.open()) {
      return KeyClustering.dispersion(Tokens.tensor(keys), SETTINGS, 11).distance();
    }
  }

  private static double distanceToNearest(double[] key, double[][] centroids) {
    return Math.sqrt(
        Arrays.stream(centroids)
            .mapToDouble(centroid -> PlainKMeans.squaredDistance(key, centroid))
            .min()
            .getAsDouble());
  }

  @Test
  void dispersionGrowsWithNoiseAndIsMeasuredInTheUnitOfTheKeys() {
    double[][] keys = layer(0.3, 1);
    double[][] doubled =
        Arrays.stream(keys)
            .map(row -> Arrays.stream(row).map(x -> 2 * x).toArray())
            .toArray(double[][]::new);
    assertThat(meanDistance(doubled)).isCloseTo(2 * meanDistance(keys), within(1e-3));
    assertThat(meanDistance(layer(0.1, 1))).isLessThan(meanDistance(keys));
    assertThat(meanDistance(keys)).isLessThan(meanDistance(layer(1, 1)));
  }

  /** One tau for all layers, from the mean over them: loose layers then need more clusters. */
  @Test
  void dispersedLayersGetMoreClustersThanCompactOnes() {
    double[] noises = {0.1, 0.3, 0.6, 0.8, 1};
    double tau =
        1.5 * Arrays.stream(noises).map(noise -> meanDistance(layer(noise, 1))).average().orElse(0);
    int[] counts =
        Arrays.stream(noises)
            .mapToInt(noise -> stages(SETTINGS, tau, layer(noise, 1)).clusters())
            .toArray();
    assertThat(counts).isSorted();
    assertThat(counts[0]).isLessThanOrEqualTo((int) (1.1 * FIRST));
    assertThat(counts[4]).isGreaterThan(counts[0]);
  }

  @Test
  void withoutAThresholdOneStageIsAll() {
    Found found = stages(SETTINGS, Double.POSITIVE_INFINITY, layer(0.5, 1), layer(1, 2));
    assertThat(found.hard()).isFalse();
    assertThat(found.clusters()).isBetween(1, FIRST);
  }

  @Test
  void aThresholdOfZeroMakesALayerHard() {
    Found found = stages(SETTINGS, 0, layer(0.5, 1));
    assertThat(found.hard()).isTrue();
    assertThat(found.clusters()).isLessThanOrEqualTo(SETTINGS.maxKeyClustersFor(TOKENS));
  }

  /** The last rule of 1.3: not a few clusters with most tokens left over. */
  @Test
  void aLayerWhoseKeysNearlyAllStayOutliersIsHard() {
    double[][] keys = layer(1, 1);
    assertThat(stages(SETTINGS, 0.6 * meanDistance(keys), keys).hard()).isTrue();
  }

  @Test
  void neverMoreThanTheCapAndHardWhenItWouldBePassed() {
    for (int most : new int[] {40, 64, 100, 150}) {
      AdaClusterSettings capped = SETTINGS.withMaxKeyClusters(most);
      double[][] keys = layer(1, 1);
      Found found = stages(capped, 0.95 * meanDistance(keys), keys);
      assertThat(found.hard()).isTrue();
      assertThat(found.clusters()).isBetween(1, most);
    }
  }

  /**
   * A kept key lies within tau of a centroid, whose mean over kept keys moves by tau at most; at
   * most half a percent of the keys may be left over.
   */
  @Test
  void keysLieWithinReachOfTheCentroidsFound() {
    double[][] keys = layer(0.2, 1);
    double[][] far = Tokens.normal(3, TOKENS, 64);
    for (int i = 0; i < TOKENS; i += 9) {
      Arrays.setAll(keys[i], t -> 0); // then far away, in a few directions
      keys[i][i % 5] = 40;
      keys[i] = Tokens.moved(new double[][] {keys[i]}, 0.1, new double[][] {far[i]})[0];
    }
    double tau = 1.2 * meanDistance(layer(0.2, 1));
    Found found = stages(SETTINGS, tau, keys);
    assertThat(found.hard()).isFalse();
    assertThat(found.clusters()).isGreaterThan(FIRST / 2);
    long beyond =
        Arrays.stream(keys)
            .filter(key -> distanceToNearest(key, found.centroids().get(0)) > 2 * tau)
            .count();
    assertThat(beyond).isLessThanOrEqualTo(TOKENS / 200);
  }

  @Test
  void headsFindTheirOutliersEachForItself() {
    double[][] compact = layer(0.1, 1);
    double[][] loose = layer(1, 2);
    double tau = 1.2 * meanDistance(layer(0.6, 3));
    Found both = stages(SETTINGS, tau, compact, loose);
    assertThat(both.centroids().get(0).length).isLessThan(both.centroids().get(1).length);
  }

  @Test
  void equalKeysGiveOneCluster() {
    double[][] keys = new double[300][64];
    Arrays.stream(keys).forEach(key -> key[3] = 2);
    Found found = stages(SETTINGS, 0, keys);
    assertThat(found.hard()).isFalse();
    assertThat(found.clusters()).isEqualTo(1);
    assertThat(found.centroids().get(0)[0]).isEqualTo(keys[0]);
  }

  @Test
  void centroidsAreFiniteWhateverTheKeys() {
    double[][] keys = layer(0.5, 1);
    keys[17][3] = Double.NaN;
    Found found = stages(SETTINGS, 1.5 * meanDistance(layer(0.5, 1)), keys);
    assertThat(found.clusters()).isBetween(1, SETTINGS.maxKeyClustersFor(TOKENS));
  }

  @Test
  void threadsDoNotChangeWhatIsFound() {
    double[][][] heads = {layer(0.3, 1), layer(0.8, 2), layer(1, 3)};
    double tau = 1.2 * meanDistance(heads[1]);
    Found one = stages(SETTINGS, tau, heads);
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached();
        Threads threads = new Threads(4)) {
      List<Tensor> keys = Arrays.stream(heads).map(Tokens::tensor).toList();
      KeyClustering.Staged four = KeyClustering.stages(keys, tau, SETTINGS, 11, threads, owner);
      assertThat(four.hard()).isEqualTo(one.hard());
      for (int head = 0; head < heads.length; head++) {
        assertThat(Tokens.rows(four.centroids().get(head)))
            .isDeepEqualTo(one.centroids().get(head));
      }
    }
  }
}
