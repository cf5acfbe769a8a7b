package dev.gossamer.attention.kmeans;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.vector.VectorApi;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The vector path against the oracle, and against the path of libtorch. */
class VectorKMeansTest {
  private static final int WIDTH = 36;

  @BeforeAll
  static void vectors() {
    assumeTrue(VectorApi.available(), () -> VectorApi.whyNot().orElse(""));
  }

  private static float[] flat(double[][] tokens) {
    float[] rows = new float[tokens.length * tokens[0].length];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (float) tokens[i / tokens[0].length][i % tokens[0].length];
    }
    return rows;
  }

  private static VectorKMeans of(double[][] tokens, KMeans.Metric metric) {
    return new VectorKMeans(flat(tokens), 0, tokens.length, tokens[0].length, metric);
  }

  @ParameterizedTest
  @EnumSource(KMeans.Metric.class)
  void labelsTheNearest(KMeans.Metric metric) {
    for (int clusters : new int[] {1, 5, 16, 33, 130}) {
      double[][] tokens = Tokens.grouped(1, 501, WIDTH, 40, 1, 0.5);
      try (Scope scope = Scope.open()) {
        VectorKMeans kmeans = of(tokens, metric);
        Tensor seeds = kmeans.seeds(clusters, 12345);
        double[][] centroids = Tokens.rows(seeds);
        int[] expected =
            metric == KMeans.Metric.ANGLE
                ? PlainKMeans.mostAligned(tokens, centroids)
                : PlainKMeans.nearest(tokens, centroids);
        int[] labels = kmeans.lloyd(seeds, 1).labels();
        long different = 0;
        for (int i = 0; i < labels.length; i++) {
          different += labels[i] != expected[i] ? 1 : 0;
        }
        assertThat(different).isLessThanOrEqualTo(1); // a near tie may round either way
      }
    }
  }

  @ParameterizedTest
  @EnumSource(KMeans.Metric.class)
  void goesTheWayOfLibtorch(KMeans.Metric metric) {
    double[][] tokens = Tokens.grouped(2, 700, WIDTH, 20, 1, 0.2);
    try (Scope scope = Scope.open()) {
      VectorKMeans ours = of(tokens, metric);
      KMeans theirs = KMeans.of(Tokens.tensor(tokens), metric);
      Tensor seeds = theirs.seeds(20, 99);
      assertThat(ours.seeds(20, 99).sub(seeds).abs().amax().item()).isLessThan(1e-6);
      KMeans.Clustering expected = theirs.lloyd(seeds, 4);
      KMeans.Clustering actual = ours.lloyd(seeds, 4);
      assertThat(actual.labels()).isEqualTo(expected.labels());
      assertThat(actual.centroids().sub(expected.centroids()).abs().amax().item()).isLessThan(1e-5);
    }
  }

  /** Most seeds are the same token, so that most clusters are empty and move to far tokens. */
  @ParameterizedTest
  @EnumSource(KMeans.Metric.class)
  void emptyClustersMoveToFarTokens(KMeans.Metric metric) {
    double[][] tokens = Tokens.grouped(3, 400, WIDTH, 8, 1, 0.2);
    try (Scope scope = Scope.open()) {
      VectorKMeans ours = of(tokens, metric);
      Tensor one = ours.seeds(1, 5);
      Tensor same = Tensor.cat(0, one, one, one, one);
      KMeans.Clustering expected = KMeans.of(Tokens.tensor(tokens), metric).lloyd(same, 3);
      KMeans.Clustering actual = ours.lloyd(same, 3);
      assertThat(Arrays.stream(actual.labels()).distinct().count()).isGreaterThan(1);
      assertThat(actual.labels()).isEqualTo(expected.labels());
    }
  }

  @ParameterizedTest
  @EnumSource(KMeans.Metric.class)
  void onlyTheGivenTokensCount(KMeans.Metric metric) {
    double[][] tokens = Tokens.grouped(4, 300, WIDTH, 8, 1, 0.5);
    try (Scope scope = Scope.open()) {
      VectorKMeans whole = of(Arrays.copyOfRange(tokens, 50, 250), metric);
      VectorKMeans part = new VectorKMeans(flat(tokens), 50, 200, WIDTH, metric);
      Tensor seeds = whole.seeds(9, 1);
      assertThat(part.seeds(9, 1).toFloats()).isEqualTo(seeds.toFloats());
      assertThat(part.lloyd(seeds, 2).labels()).isEqualTo(whole.lloyd(seeds, 2).labels());
    }
  }

  @Test
  void equalAndStrangeTokensStayInRange() {
    double[][] tokens = new double[100][WIDTH];
    tokens[17][3] = Double.NaN;
    tokens[18][4] = Double.POSITIVE_INFINITY;
    for (KMeans.Metric metric : KMeans.Metric.values()) {
      try (Scope scope = Scope.open()) {
        VectorKMeans kmeans = of(tokens, metric);
        for (int label : kmeans.lloyd(kmeans.seeds(7, 0), 3).labels()) {
          assertThat(label).isBetween(0, 6);
        }
      }
    }
  }
}
