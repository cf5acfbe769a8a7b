package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.ClusteredHead;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** AdaCluster 1.4: Quest's bound as two matrix products. */
class TensorQuestTest {
  private static final int GROUPS = 9;
  private static final int CLUSTERS = 30;

  private final double[][] queries = Tokens.normal(1, GROUPS, 64);
  private final double[][] largest = Tokens.normal(2, CLUSTERS, 64);
  private final double[][] smallest = below(largest, Tokens.normal(3, CLUSTERS, 64));

  /** sum over dimensions of max(q Kmax, q Kmin), by loops. */
  private static double plainBound(double[] q, double[] largest, double[] smallest) {
    double sum = 0;
    for (int t = 0; t < q.length; t++) {
      sum += Math.max(q[t] * largest[t], q[t] * smallest[t]);
    }
    return sum;
  }

  private static double[][] below(double[][] rows, double[][] gaps) {
    double[][] result = new double[rows.length][rows[0].length];
    for (int i = 0; i < rows.length; i++) {
      for (int t = 0; t < rows[i].length; t++) {
        result[i][t] = rows[i][t] - Math.abs(gaps[i][t]);
      }
    }
    return result;
  }

  private static Tensor as(DType dtype, double[][] rows) {
    double[] flat = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    return Tensor.of(flat, rows.length, rows[0].length).to(dtype);
  }

  private double[][] bounds(DType dtype) {
    return Tokens.rows(
        TensorQuest.upperBound(as(dtype, queries), as(dtype, largest), as(dtype, smallest)));
  }

  @Test
  void productsEqualTheMaximumPerDimension() {
    try (Scope scope = Scope.open()) {
      double[][] exact = bounds(DType.FLOAT64);
      double[][] coarse = bounds(DType.BFLOAT16);
      for (int u = 0; u < GROUPS; u++) {
        for (int j = 0; j < CLUSTERS; j++) {
          double plain = plainBound(queries[u], largest[j], smallest[j]);
          assertThat(exact[u][j]).isCloseTo(plain, within(1e-12));
          double scale = length(queries[u]) * Math.max(length(largest[j]), length(smallest[j]));
          assertThat(coarse[u][j]).isCloseTo(plain, within(2e-2 * scale));
        }
      }
    }
  }

  @Test
  void equalsTheFormWithMiddleAndHalfWidth() {
    try (Scope scope = Scope.open()) {
      double[][] bounds = bounds(DType.FLOAT64);
      for (int u = 0; u < GROUPS; u++) {
        for (int j = 0; j < CLUSTERS; j++) {
          double sum = 0;
          for (int t = 0; t < 64; t++) {
            double middle = (largest[j][t] + smallest[j][t]) / 2;
            double half = (largest[j][t] - smallest[j][t]) / 2;
            sum += queries[u][t] * middle + Math.abs(queries[u][t]) * half;
          }
          assertThat(bounds[u][j]).isCloseTo(sum, within(1e-12));
        }
      }
    }
  }

  @Test
  void noKeyOfAClusterScoresAboveTheBound() {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = head(CLUSTERS);
      QueryGroups groups = QueryGroups.clusters(head.queries());
      double[][] directions = Tokens.rows(ScoredHeads.of(head, groups).groupDirections());
      double[][] bounds = ScoredHeads.scores(new TensorQuest(), head, groups);
      int[] labels = head.keys().labels();
      for (int u = 0; u < groups.count(); u++) {
        for (int i = 0; i < labels.length; i++) {
          double slack = 1e-4 * length(directions[u]) * length(head.k()[i]);
          assertThat(PlainKMeans.dot(directions[u], head.k()[i]))
              .isLessThanOrEqualTo(bounds[u][labels[i]] + slack);
        }
      }
    }
  }

  @Test
  void scoresAreTheBoundOfTheMeanDirectionByTheTrueExtremes() {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = head(CLUSTERS);
      QueryGroups groups = QueryGroups.clusters(head.queries());
      double[][] scores = ScoredHeads.scores(new TensorQuest(), head, groups);
      int[] labels = head.keys().labels();
      for (int u = 0; u < groups.count(); u++) {
        double[][] directions = PlainKMeans.directions(ScoredHeads.queriesOf(head, groups, u));
        double[] q = PlainKMeans.means(directions, new int[directions.length], 1)[0];
        for (int j = 0; j < CLUSTERS; j++) {
          double[] max = new double[64];
          double[] min = new double[64];
          Arrays.fill(max, Double.NEGATIVE_INFINITY);
          Arrays.fill(min, Double.POSITIVE_INFINITY);
          for (int i = 0; i < labels.length; i++) {
            for (int t = 0; t < 64 && labels[i] == j; t++) {
              max[t] = Math.max(max[t], head.k()[i][t]);
              min[t] = Math.min(min[t], head.k()[i][t]);
            }
          }
          assertThat(scores[u][j]).isCloseTo(plainBound(q, max, min), within(1e-4));
        }
      }
    }
  }

  @Test
  void theBoundOfASingleKeyIsItsScore() {
    try (Scope scope = Scope.open()) {
      double[][] bounds =
          Tokens.rows(
              TensorQuest.upperBound(
                  as(DType.FLOAT64, queries),
                  as(DType.FLOAT64, largest),
                  as(DType.FLOAT64, largest)));
      for (int u = 0; u < GROUPS; u++) {
        for (int j = 0; j < CLUSTERS; j++) {
          assertThat(bounds[u][j])
              .isCloseTo(PlainKMeans.dot(queries[u], largest[j]), within(1e-12));
        }
      }
    }
  }

  /** The trap of 1.4: extremes clamped at zero give a weaker bound, which we must not compute. */
  @Test
  void extremesClampedAtZeroWouldBeWeaker() {
    try (Scope scope = Scope.open()) {
      double[][] bounds = bounds(DType.FLOAT64);
      int strictly = 0;
      for (int u = 0; u < GROUPS; u++) {
        for (int j = 0; j < CLUSTERS; j++) {
          double clamped = 0;
          for (int t = 0; t < 64; t++) {
            clamped += Math.max(queries[u][t], 0) * Math.max(largest[j][t], 0);
            clamped += Math.min(queries[u][t], 0) * Math.min(smallest[j][t], 0);
          }
          assertThat(bounds[u][j]).isLessThanOrEqualTo(clamped + 1e-12);
          strictly += bounds[u][j] < clamped - 1e-6 ? 1 : 0;
        }
      }
      assertThat(strictly).isPositive();
    }
  }

  @Test
  void theRankingDoesNotDependOnTheLengthOfQueries() {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = head(CLUSTERS);
      QueryGroups groups = QueryGroups.clusters(head.queries());
      double[][] longer =
          Arrays.stream(head.q())
              .map(row -> Arrays.stream(row).map(x -> 8 * x).toArray())
              .toArray(double[][]::new);
      ClusteredHead scaled =
          ClusteredHead.of(longer, head.k(), head.v(), head.queries(), head.keys(), DType.FLOAT32);
      double[][] scores = ScoredHeads.scores(new TensorQuest(), head, groups);
      double[][] scaledScores = ScoredHeads.scores(new TensorQuest(), scaled, groups);
      for (int u = 0; u < groups.count(); u++) {
        assertThat(ranking(scaledScores[u])).isEqualTo(ranking(scores[u]));
      }
    }
  }

  private static int[] ranking(double[] scores) {
    return java.util.stream.IntStream.range(0, scores.length)
        .boxed()
        .sorted((a, b) -> Double.compare(scores[b], scores[a]))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  private static ClusteredHead head(int clusters) {
    return ClusteredHead.random(
        4,
        64,
        ClusterLayout.of(Tokens.labels(5, 200, GROUPS), GROUPS),
        ClusterLayout.of(Tokens.labels(6, 700, clusters), clusters),
        DType.FLOAT32);
  }

  private static double length(double[] row) {
    return Math.sqrt(PlainKMeans.dot(row, row));
  }
}
