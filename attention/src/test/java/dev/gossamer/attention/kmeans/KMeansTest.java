package dev.gossamer.attention.kmeans;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.kmeans.KMeans.Metric;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** AdaCluster 1.2 and 1.3: Lloyd's iterations by angle and by distance, against plain loops. */
class KMeansTest {
  static Stream<Arguments> cases() {
    return Stream.of(Metric.values())
        .flatMap(
            metric ->
                Stream.of(DType.FLOAT32, DType.BFLOAT16)
                    .flatMap(
                        dtype ->
                            IntStream.of(1, 7, 64, 1000, 2305)
                                .mapToObj(tokens -> Arguments.of(metric, dtype, tokens))));
  }

  private static double[][] tokens(DType dtype, int count) {
    return Tokens.rounded(Tokens.grouped(count, count, 64, 20, 1, 0.7), dtype);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void labelsAreInRangeAndCountEveryToken(Metric metric, DType dtype, int count) {
    int clusters = Math.max(1, count / 16);
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens(dtype, count)).to(dtype), metric);
      KMeans.Clustering clustering = kmeans.lloyd(kmeans.seeds(clusters, 12345), 3);
      assertThat(clustering.labels()).hasSize(count);
      assertThat(Arrays.stream(clustering.labels()).allMatch(l -> l >= 0 && l < clusters)).isTrue();
      assertThat(clustering.centroids().shape()).containsExactly(clusters, 64);
      assertThat(clustering.centroids().isFinite().all().isTrue()).isTrue();
    }
  }

  /** In bf16 the centroid and the product are rounded: 1 % of the vectors' lengths. */
  @ParameterizedTest
  @MethodSource("cases")
  void everyTokenGoesToItsNearestCentroid(Metric metric, DType dtype, int count) {
    double[][] tokens = tokens(dtype, count);
    double slack = dtype == DType.FLOAT32 ? 1e-5 : 1e-2;
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens).to(dtype), metric);
      Tensor seeds = kmeans.seeds(Math.max(1, count / 16), 7);
      int[] labels = kmeans.assign(seeds);
      double[][] centroids = Tokens.rows(seeds);
      int[] best =
          metric == Metric.ANGLE
              ? PlainKMeans.mostAligned(tokens, centroids)
              : PlainKMeans.nearest(tokens, centroids);
      for (int i = 0; i < count; i++) {
        double[] x = tokens[i];
        double loss =
            metric == Metric.ANGLE
                ? PlainKMeans.dot(x, centroids[best[i]]) - PlainKMeans.dot(x, centroids[labels[i]])
                : (PlainKMeans.squaredDistance(x, centroids[labels[i]])
                        - PlainKMeans.squaredDistance(x, centroids[best[i]]))
                    / 2;
        assertThat(loss)
            .isLessThanOrEqualTo(slack * length(x) * Math.max(1, length(centroids[best[i]])));
      }
    }
  }

  /** Small whole numbers, so that products are exact in any order: the ties are true ones. */
  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void tiesGoToTheLowestCentroid(Metric metric, DType dtype) {
    double[][] corners = new double[6][64];
    for (int j = 0; j < 6; j++) {
      corners[j][j % 3] = 2;
    }
    double[][] tokens = new double[90][64];
    Arrays.setAll(tokens, i -> corners[i % 3]);
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens).to(dtype), metric);
      assertThat(kmeans.assign(Tokens.tensor(corners)))
          .isEqualTo(IntStream.range(0, 90).map(i -> i % 3).toArray());
    }
  }

  static Stream<Arguments> metricsAndTypes() {
    return Stream.of(Metric.values())
        .flatMap(
            metric ->
                Stream.of(
                    Arguments.of(metric, DType.FLOAT32), Arguments.of(metric, DType.BFLOAT16)));
  }

  @Test
  void squaredErrorNeverRises() {
    double[][] tokens = Tokens.grouped(3, 1000, 64, 30, 1, 0.8);
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens), Metric.EUCLIDEAN);
      Tensor centroids = kmeans.seeds(48, 9);
      double before = Double.POSITIVE_INFINITY;
      double first = 0;
      for (int iteration = 0; iteration < 10; iteration++) {
        int[] labels = kmeans.assign(centroids);
        double error = PlainKMeans.squaredError(tokens, Tokens.rows(centroids), labels);
        assertThat(error).isLessThanOrEqualTo(before * (1 + 1e-6));
        first = iteration == 0 ? error : first;
        before = error;
        centroids = kmeans.update(centroids, labels);
      }
      assertThat(before).isLessThan(0.95 * first);
    }
  }

  @Test
  void sumOfCosinesNeverFalls() {
    double[][] tokens = Tokens.grouped(4, 1000, 64, 30, 1, 0.8);
    double[][] directions = PlainKMeans.directions(tokens);
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens), Metric.ANGLE);
      Tensor centroids = kmeans.seeds(48, 9);
      double before = Double.NEGATIVE_INFINITY;
      for (int iteration = 0; iteration < 10; iteration++) {
        int[] labels = kmeans.assign(centroids);
        double[][] rows = Tokens.rows(centroids);
        double sum = 0;
        for (int i = 0; i < tokens.length; i++) {
          sum += PlainKMeans.dot(directions[i], rows[labels[i]]);
        }
        assertThat(sum).isGreaterThanOrEqualTo(before - 1e-3);
        before = sum;
        centroids = kmeans.update(centroids, labels);
      }
    }
  }

  @Test
  void centroidsAreMeansByDistanceAndUnitVectorsByAngle() {
    double[][] tokens = Tokens.grouped(5, 500, 64, 10, 1, 0.5);
    try (Scope scope = Scope.open()) {
      KMeans euclidean = KMeans.of(Tokens.tensor(tokens), Metric.EUCLIDEAN);
      KMeans.Clustering byDistance = euclidean.lloyd(euclidean.seeds(10, 1), 1);
      double[][] means = PlainKMeans.means(tokens, byDistance.labels(), 10);
      KMeans angle = KMeans.of(Tokens.tensor(tokens), Metric.ANGLE);
      KMeans.Clustering byAngle = angle.lloyd(angle.seeds(10, 1), 1);
      double[][] directions =
          PlainKMeans.directions(
              PlainKMeans.means(PlainKMeans.directions(tokens), byAngle.labels(), 10));
      for (int j = 0; j < 10; j++) {
        assertThat(PlainKMeans.squaredDistance(Tokens.rows(byDistance.centroids())[j], means[j]))
            .isLessThan(1e-10);
        assertThat(PlainKMeans.squaredDistance(Tokens.rows(byAngle.centroids())[j], directions[j]))
            .isLessThan(1e-10);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void wellSeparatedGroupsAreRecovered(Metric metric, DType dtype) {
    int groups = 25;
    double[][] tokens = Tokens.grouped(6, 1000, 64, groups, 4, 0.3);
    int[] truth = IntStream.range(0, 1000).map(i -> i * groups / 1000).toArray();
    int[] shuffle = shuffled(1000);
    double[][] mixed = Arrays.stream(shuffle).mapToObj(i -> tokens[i]).toArray(double[][]::new);
    int[] mixedTruth = Arrays.stream(shuffle).map(i -> truth[i]).toArray();
    double[][] oneOfEach =
        IntStream.range(0, groups)
            .mapToObj(g -> tokens[g * 1000 / groups])
            .toArray(double[][]::new);
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(mixed).to(dtype), metric);
      assertThat(kmeans.lloyd(Tokens.tensor(oneOfEach), 4).labels()).isEqualTo(mixedTruth);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FLOAT32", "BFLOAT16"})
  void anglesDoNotDependOnLengths(DType dtype) {
    double[][] tokens = Tokens.rounded(Tokens.normal(7, 1000, 64), dtype);
    try (Scope scope = Scope.open()) {
      assertThat(labels(scaled(tokens), dtype, Metric.ANGLE))
          .isEqualTo(labels(tokens, dtype, Metric.ANGLE));
    }
  }

  @Test
  void distancesDependOnLengths() {
    double[][] tokens = Tokens.normal(7, 1000, 64);
    try (Scope scope = Scope.open()) {
      assertThat(labels(scaled(tokens), DType.FLOAT32, Metric.EUCLIDEAN))
          .isNotEqualTo(labels(tokens, DType.FLOAT32, Metric.EUCLIDEAN));
    }
  }

  private static int[] labels(double[][] tokens, DType dtype, Metric metric) {
    KMeans kmeans = KMeans.of(Tokens.tensor(tokens).to(dtype), metric);
    return kmeans.lloyd(kmeans.seeds(30, 5), 5).labels();
  }

  /** Each token times a power of two, so that no rounding comes in. */
  private static double[][] scaled(double[][] tokens) {
    Random random = new Random(8);
    double[][] scaled = new double[tokens.length][];
    for (int i = 0; i < tokens.length; i++) {
      double factor = Math.scalb(1.0, random.nextInt(9) - 4);
      scaled[i] = Arrays.stream(tokens[i]).map(x -> x * factor).toArray();
    }
    return scaled;
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void equalTokensLieOnTheirCentroid(Metric metric, DType dtype) {
    double[][] tokens = new double[300][];
    Arrays.fill(tokens, Tokens.rounded(Tokens.normal(9, 1, 64), dtype)[0]);
    double[][] expected = metric == Metric.ANGLE ? PlainKMeans.directions(tokens) : tokens;
    try (Scope scope = Scope.open()) {
      KMeans.Clustering clustering = clustered(tokens, dtype, metric, 20);
      double[][] centroids = Tokens.rows(clustering.centroids());
      for (int label : clustering.labels()) {
        assertThat(PlainKMeans.squaredDistance(centroids[label], expected[0])).isLessThan(1e-8);
      }
      assertThat(clustering.centroids().isFinite().all().isTrue()).isTrue();
    }
  }

  @Test
  void equalTokensShareOneCluster() {
    double[][] tokens = new double[300][64];
    Arrays.stream(tokens).forEach(token -> token[5] = 3);
    try (Scope scope = Scope.open()) {
      for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
        assertThat(clustered(tokens, dtype, Metric.EUCLIDEAN, 20).labels()).containsOnly(0);
        assertThat(clustered(tokens, dtype, Metric.ANGLE, 20).labels()).containsOnly(0);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void twoDistinctTokensEndInTwoClusters(Metric metric, DType dtype) {
    double[][] both = Tokens.normal(10, 2, 64);
    double[][] tokens = new double[300][];
    Arrays.setAll(tokens, i -> both[i % 3 == 0 ? 0 : 1]);
    try (Scope scope = Scope.open()) {
      KMeans.Clustering clustering = clustered(tokens, dtype, metric, 20);
      float[] centroids = clustering.centroids().toFloats();
      int[] labels = clustering.labels();
      // Of equal centroids the products' rounding may choose any; what counts is where they are.
      for (int i = 0; i < 300; i++) {
        float[] own = centroid(centroids, labels[i]);
        assertThat(own)
            .containsExactly(centroid(centroids, labels[i % 3 == 0 ? 0 : 1]), offset(1e-2f));
        assertThat(own).isNotEqualTo(centroid(centroids, labels[i % 3 == 0 ? 1 : 0]));
      }
    }
  }

  private static float[] centroid(float[] centroids, int label) {
    return Arrays.copyOfRange(centroids, label * 64, (label + 1) * 64);
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void moreCentroidsThanTokensAreNoTrouble(Metric metric, DType dtype) {
    double[][] tokens = Tokens.normal(11, 7, 64);
    try (Scope scope = Scope.open()) {
      KMeans.Clustering clustering = clustered(tokens, dtype, metric, 30);
      assertThat(Arrays.stream(clustering.labels()).allMatch(l -> l >= 0 && l < 30)).isTrue();
      assertThat(Arrays.stream(clustering.labels()).distinct().count()).isEqualTo(7);
      assertThat(clustering.centroids().isFinite().all().isTrue()).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void oneCentroidTakesEverything(Metric metric, DType dtype) {
    try (Scope scope = Scope.open()) {
      assertThat(clustered(Tokens.normal(12, 64, 64), dtype, metric, 1).labels()).containsOnly(0);
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void zeroTokensStayInRangeAndFinite(Metric metric, DType dtype) {
    double[][] tokens = Tokens.normal(13, 200, 64);
    for (int i = 0; i < 200; i += 3) {
      Arrays.fill(tokens[i], 0);
    }
    try (Scope scope = Scope.open()) {
      KMeans.Clustering some = clustered(tokens, dtype, metric, 12);
      assertThat(Arrays.stream(some.labels()).allMatch(l -> l >= 0 && l < 12)).isTrue();
      assertThat(some.centroids().isFinite().all().isTrue()).isTrue();
      KMeans.Clustering all = clustered(new double[200][64], dtype, metric, 12);
      assertThat(all.labels()).containsOnly(0);
      assertThat(all.centroids().isFinite().all().isTrue()).isTrue();
    }
  }

  private static KMeans.Clustering clustered(
      double[][] tokens, DType dtype, Metric metric, int clusters) {
    KMeans kmeans = KMeans.of(Tokens.tensor(tokens).to(dtype), metric);
    return kmeans.lloyd(kmeans.seeds(clusters, 77), 5);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void aTokenThatIsNotFiniteNeitherCrashesNorLeavesTheRange(double poison) {
    double[][] tokens = Tokens.normal(14, 500, 64);
    tokens[0][3] = poison;
    tokens[123][5] = poison;
    try (Scope scope = Scope.open()) {
      for (Metric metric : Metric.values()) {
        for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
          for (int clusters : new int[] {1, 40, 500}) {
            int[] labels = clustered(tokens, dtype, metric, clusters).labels();
            assertThat(Arrays.stream(labels).allMatch(l -> l >= 0 && l < clusters)).isTrue();
          }
        }
      }
    }
  }

  @Test
  void anEmptyCentroidMovesToTheFarthestTokenOfALargeCluster() {
    double[][] tokens = Tokens.grouped(15, 100, 64, 1, 0, 0.1);
    tokens[42][0] = 5; // far from where it belongs
    double[][] centroids = new double[3][64];
    centroids[1][1] = 100;
    centroids[2][2] = 100;
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens), Metric.EUCLIDEAN);
      Tensor start = Tokens.tensor(centroids);
      int[] labels = kmeans.assign(start);
      assertThat(labels).containsOnly(0);
      double[][] moved = Tokens.rows(kmeans.update(start, labels));
      assertThat(moved[1]).isEqualTo(tokens[42]);
      assertThat(PlainKMeans.squaredDistance(moved[2], centroids[2])).isGreaterThan(1);
      assertThat(Arrays.asList(tokens)).contains(moved[2]);
      assertThat(Tokens.rows(kmeans.update(start, labels))).isDeepEqualTo(moved);
    }
  }

  @Test
  void anEmptyCentroidStaysWhereNoClusterCanSpareAToken() {
    double[][] tokens = Tokens.grouped(16, 80, 64, 8, 3, 0.1);
    double[][] centroids = Arrays.copyOf(Tokens.normal(16, 8, 64), 9);
    for (int j = 0; j < 8; j++) {
      centroids[j] = tokens[j * 10]; // equal clusters: none has twice the mean
    }
    centroids[8] = new double[64];
    centroids[8][0] = 1000;
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens), Metric.EUCLIDEAN);
      Tensor start = Tokens.tensor(centroids);
      int[] labels = kmeans.assign(start);
      assertThat(PlainKMeans.sizes(labels, 9)).containsExactly(10, 10, 10, 10, 10, 10, 10, 10, 0);
      assertThat(Tokens.rows(kmeans.update(start, labels))[8]).isEqualTo(centroids[8]);
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void theSameTokensGiveTheSameBits(Metric metric, DType dtype) {
    double[][] tokens = Tokens.grouped(17, 2305, 64, 40, 1, 0.7);
    try (Scope scope = Scope.open()) {
      KMeans.Clustering first = clustered(tokens, dtype, metric, 144);
      for (int run = 0; run < 4; run++) {
        KMeans.Clustering again = clustered(tokens, dtype, metric, 144);
        assertThat(again.labels()).isEqualTo(first.labels());
        assertThat(again.centroids().toFloats()).isEqualTo(first.centroids().toFloats());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndTypes")
  void aWarmStartIsOneFurtherIteration(Metric metric, DType dtype) {
    double[][] tokens = Tokens.normal(18, 1000, 64);
    try (Scope scope = Scope.open()) {
      Tensor matrix = Tokens.tensor(tokens).to(dtype);
      KMeans kmeans = KMeans.of(matrix, metric);
      KMeans.Clustering five = kmeans.lloyd(kmeans.seeds(50, 1), 5);
      KMeans.Clustering sixth = KMeans.of(matrix, metric).lloyd(five.centroids(), 1);
      KMeans.Clustering six = kmeans.lloyd(kmeans.seeds(50, 1), 6);
      assertThat(sixth.labels()).isEqualTo(six.labels());
      assertThat(sixth.labels()).isNotEqualTo(five.labels());
      assertThat(sixth.centroids().toFloats()).isEqualTo(six.centroids().toFloats());
    }
  }

  @Test
  void seedsAreTokensSpreadOverTheSequence() {
    int count = 1000;
    double[][] tokens = new double[count][8];
    Arrays.setAll(tokens, i -> new double[] {i, 0, 0, 0, 0, 0, 0, 0});
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens), Metric.EUCLIDEAN);
      for (long shift : new long[] {0, 1, -1, 0x123456789abcdefL, Long.MIN_VALUE}) {
        double[] picks =
            Arrays.stream(Tokens.rows(kmeans.seeds(100, shift)))
                .mapToDouble(row -> row[0])
                .sorted()
                .toArray();
        for (int i = 1; i < picks.length; i++) {
          assertThat(picks[i] - picks[i - 1]).isBetween(1.0, 30.0);
        }
      }
      assertThat(kmeans.seeds(100, 5).toFloats())
          .isNotEqualTo(kmeans.seeds(100, 0x800005).toFloats());
    }
  }

  @Test
  void distancesAreThoseOfTheLastAssignment() {
    double[][] tokens = Tokens.grouped(19, 400, 64, 10, 1, 0.5);
    double[][] directions = PlainKMeans.directions(tokens);
    try (Scope scope = Scope.open()) {
      for (Metric metric : Metric.values()) {
        KMeans kmeans = KMeans.of(Tokens.tensor(tokens), metric);
        Tensor seeds = kmeans.seeds(10, 1);
        int[] labels = kmeans.assign(seeds);
        float[] distances = kmeans.distances();
        double[][] centroids = Tokens.rows(seeds);
        for (int i = 0; i < tokens.length; i++) {
          double expected =
              metric == Metric.ANGLE
                  ? 1 - PlainKMeans.dot(directions[i], centroids[labels[i]])
                  : Math.sqrt(PlainKMeans.squaredDistance(tokens[i], centroids[labels[i]]));
          // A token that is a centroid itself: the difference of two equal norms, then its root.
          assertThat((double) distances[i])
              .isCloseTo(expected, org.assertj.core.api.Assertions.within(1e-2));
        }
      }
    }
  }

  @Test
  void meansOfKeptTokensLeaveOutClustersWithoutOne() {
    double[][] tokens = Tokens.grouped(20, 90, 16, 3, 5, 0.1);
    try (Scope scope = Scope.open()) {
      KMeans kmeans = KMeans.of(Tokens.tensor(tokens), Metric.EUCLIDEAN);
      double[][] starts = {tokens[0], tokens[30], tokens[60]};
      KMeans.Clustering clustering = kmeans.lloyd(Tokens.tensor(starts), 1);
      int[] kept = IntStream.concat(IntStream.range(5, 20), IntStream.range(70, 80)).toArray();
      double[][] means = Tokens.rows(kmeans.meansOf(clustering, kept));
      assertThat(means).hasNumberOfRows(2);
      double[][] first = Arrays.copyOfRange(tokens, 5, 20);
      double[][] last = Arrays.copyOfRange(tokens, 70, 80);
      assertThat(PlainKMeans.squaredDistance(means[0], PlainKMeans.means(first, new int[15], 1)[0]))
          .isLessThan(1e-10);
      assertThat(PlainKMeans.squaredDistance(means[1], PlainKMeans.means(last, new int[10], 1)[0]))
          .isLessThan(1e-10);
    }
  }

  private static double length(double[] row) {
    return Math.sqrt(PlainKMeans.dot(row, row));
  }

  private static int[] shuffled(int count) {
    java.util.List<Integer> order =
        new java.util.ArrayList<>(IntStream.range(0, count).boxed().toList());
    java.util.Collections.shuffle(order, new Random(1));
    return order.stream().mapToInt(Integer::intValue).toArray();
  }
}
