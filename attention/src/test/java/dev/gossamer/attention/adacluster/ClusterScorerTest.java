package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.ClusteredHead;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The scorers of 1.4 and 1.9 rank clusters as their formulas do, by plain loops in float64. */
class ClusterScorerTest {
  private static final int CLUSTERS = 26; // number 25 stays empty

  private final ClusterLayout queries = ClusterLayout.of(Tokens.labels(1, 90, 8), 8);
  private final ClusterLayout keys = ClusterLayout.of(Tokens.labels(2, 400, 25), CLUSTERS);
  private final QueryGroups groups = QueryGroups.clusters(queries);
  private final ClusteredHead head =
      ClusteredHead.of(
          Tokens.grouped(3, 90, 32, 9, 1.5, 0.6),
          Tokens.grouped(4, 400, 32, 20, 1, 0.6),
          Tokens.normal(5, 400, 32),
          queries,
          keys,
          DType.FLOAT32);
  private final double[][] means = PlainKMeans.means(head.k(), keys.labels(), CLUSTERS);

  /** softmax over the non-empty clusters of s q.c + log n. */
  private double[] masses(double[] q) {
    double[] mass = new double[CLUSTERS];
    double sum = 0;
    for (int j = 0; j < CLUSTERS; j++) {
      mass[j] = keys.size(j) * Math.exp(PlainKMeans.dot(q, means[j]) / Math.sqrt(32));
      sum += mass[j];
    }
    for (int j = 0; j < CLUSTERS; j++) {
      mass[j] /= sum;
    }
    return mass;
  }

  private double[] queryMass(int group) {
    double[][] rows = ScoredHeads.queriesOf(head, groups, group);
    double[] mean = new double[CLUSTERS];
    for (double[] q : rows) {
      double[] mass = masses(q);
      for (int j = 0; j < CLUSTERS; j++) {
        mean[j] += mass[j] / rows.length;
      }
    }
    return mean;
  }

  /** Same order, but for clusters whose expected scores nearly tie. */
  private void assertRanksAs(double[] expected, double[] scores) {
    int[] order =
        IntStream.range(0, CLUSTERS)
            .filter(j -> keys.size(j) > 0)
            .boxed()
            .sorted((a, b) -> Double.compare(expected[b], expected[a]))
            .mapToInt(Integer::intValue)
            .toArray();
    for (int i = 1; i < order.length; i++) {
      double gap = expected[order[i - 1]] - expected[order[i]];
      if (gap > 1e-4 * Math.abs(expected[order[i]])) {
        assertThat(scores[order[i - 1]]).isGreaterThan(scores[order[i]]);
      }
    }
  }

  @Test
  void centroidMassRanksByTheMeanQuery() {
    try (Scope scope = Scope.open()) {
      double[][] scores = ScoredHeads.scores(new CentroidMass(), head, groups);
      for (int u = 0; u < groups.count(); u++) {
        double[][] rows = ScoredHeads.queriesOf(head, groups, u);
        assertRanksAs(masses(PlainKMeans.means(rows, new int[rows.length], 1)[0]), scores[u]);
      }
    }
  }

  @Test
  void queryMassRanksByTheMeanOverQueries() {
    try (Scope scope = Scope.open()) {
      double[][] scores = ScoredHeads.scores(new QueryMass(), head, groups);
      for (int u = 0; u < groups.count(); u++) {
        assertRanksAs(queryMass(u), scores[u]);
      }
    }
  }

  @Test
  void queryMassOfALargeGroupComesFromASampleOfIt() {
    int tokens = 2305;
    double[][] q = new double[tokens][];
    int[] labels = IntStream.range(0, tokens).map(i -> i % 8).toArray();
    for (int i = 0; i < tokens; i++) {
      q[i] = head.q()[labels[i] * 11]; // the same query all over a group: any sample will do
    }
    ClusterLayout many = ClusterLayout.of(labels, 8);
    ClusteredHead large = ClusteredHead.of(q, head.k(), head.v(), many, keys, DType.FLOAT32);
    try (Scope scope = Scope.open()) {
      double[][] scores = ScoredHeads.scores(new QueryMass(), large, QueryGroups.clusters(many));
      for (int u = 0; u < 8; u++) {
        assertRanksAs(masses(head.q()[u * 11]), scores[u]);
      }
    }
  }

  @Test
  void expectedErrorRanksByMassTimesVarianceOfLogitsPerKey() {
    double[][] variances = new double[CLUSTERS][32];
    int[] labels = keys.labels();
    for (int i = 0; i < labels.length; i++) {
      for (int t = 0; t < 32; t++) {
        variances[labels[i]][t] +=
            Math.pow(head.k()[i][t] - means[labels[i]][t], 2) / keys.size(labels[i]);
      }
    }
    try (Scope scope = Scope.open()) {
      double[][] scores = ScoredHeads.scores(new ExpectedError(), head, groups);
      for (int u = 0; u < groups.count(); u++) {
        double[] expected = queryMass(u);
        double[][] rows = ScoredHeads.queriesOf(head, groups, u);
        for (int j = 0; j < CLUSTERS && keys.size(j) > 0; j++) {
          double spread = 0;
          for (double[] q : rows) {
            for (int t = 0; t < 32; t++) {
              spread += q[t] * q[t] * variances[j][t] / 32 / rows.length;
            }
          }
          expected[j] *= spread / keys.size(j);
        }
        assertRanksAs(expected, scores[u]);
      }
    }
  }

  @Test
  void pseudoQuestAddsProductsOfEqualSigns() {
    try (Scope scope = Scope.open()) {
      double[][] scores = ScoredHeads.scores(new PseudoQuest(), head, groups);
      for (int u = 0; u < groups.count(); u++) {
        double[][] directions = PlainKMeans.directions(ScoredHeads.queriesOf(head, groups, u));
        double[] q = PlainKMeans.means(directions, new int[directions.length], 1)[0];
        double[] expected = new double[CLUSTERS];
        for (int j = 0; j < CLUSTERS; j++) {
          for (int t = 0; t < 32; t++) {
            expected[j] += Math.max(0, q[t] * means[j][t]);
          }
        }
        assertRanksAs(expected, scores[u]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"expectedError", "queryMass", "tensorQuest", "centroidMass", "pseudoQuest"})
  void everyScorerHasTheNameUnderWhichSettingsKnowIt(String name) {
    assertThat(AdaClusterSettings.DEFAULT.with("scorer", name).scorer().name()).isEqualTo(name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"expectedError", "queryMass", "tensorQuest", "centroidMass", "pseudoQuest"})
  void scoresOfNonEmptyClustersAreFinite(String name) {
    ClusterScorer scorer = AdaClusterSettings.DEFAULT.with("scorer", name).scorer();
    try (Scope scope = Scope.open()) {
      for (double[] row : ScoredHeads.scores(scorer, head, groups)) {
        assertThat(row).hasSize(CLUSTERS);
        for (int j = 0; j < CLUSTERS; j++) {
          assertThat(keys.size(j) == 0 || Double.isFinite(row[j])).isTrue();
        }
      }
    }
  }
}
