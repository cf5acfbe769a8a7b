package dev.gossamer.attention.clusters;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import org.junit.jupiter.api.Test;

class KeyStatisticsTest {
  private static final int CLUSTERS = 12; // number 11 stays empty

  private final int[] labels = Tokens.labels(1, 400, CLUSTERS - 1);
  private final ClusterLayout keys = ClusterLayout.of(labels, CLUSTERS);
  private final ClusteredHead head =
      ClusteredHead.random(2, 16, ClusterLayout.contiguous(64, 64), keys, DType.FLOAT32);

  @Test
  void meansAreThoseOfTheLabels() {
    try (Scope scope = Scope.open()) {
      KeyStatistics statistics = KeyStatistics.of(head.operands(), keys);
      assertThat(
              PlainAttention.worstRow(
                  Tokens.rows(statistics.means()), PlainKMeans.means(head.k(), labels, CLUSTERS)))
          .isLessThan(1e-6);
      assertThat(
              PlainAttention.worstRow(
                  Tokens.rows(statistics.meanValues()),
                  PlainKMeans.means(head.v(), labels, CLUSTERS)))
          .isLessThan(1e-6);
    }
  }

  @Test
  void variancesAreBiasedAndPerDimension() {
    double[][] means = PlainKMeans.means(head.k(), labels, CLUSTERS);
    double[][] deviations = new double[400][16];
    for (int i = 0; i < 400; i++) {
      for (int t = 0; t < 16; t++) {
        deviations[i][t] = Math.pow(head.k()[i][t] - means[labels[i]][t], 2);
      }
    }
    try (Scope scope = Scope.open()) {
      KeyStatistics statistics = KeyStatistics.of(head.operands(), keys);
      assertThat(
              PlainAttention.worstRow(
                  Tokens.rows(statistics.variances()),
                  PlainKMeans.means(deviations, labels, CLUSTERS)))
          .isLessThan(1e-5);
    }
  }

  @Test
  void extremesAreTheTrueOnesAndNotClampedAtZero() {
    try (Scope scope = Scope.open()) {
      double[][] largest = Tokens.rows(KeyStatistics.extremes(head.operands(), keys).select(0, 0));
      double[][] smallest = Tokens.rows(KeyStatistics.extremes(head.operands(), keys).select(0, 1));
      for (int cluster = 0; cluster < CLUSTERS - 1; cluster++) {
        for (int t = 0; t < 16; t++) {
          double max = Double.NEGATIVE_INFINITY;
          double min = Double.POSITIVE_INFINITY;
          for (int i = 0; i < 400; i++) {
            if (labels[i] == cluster) {
              max = Math.max(max, head.k()[i][t]);
              min = Math.min(min, head.k()[i][t]);
            }
          }
          assertThat(largest[cluster][t]).isEqualTo(max);
          assertThat(smallest[cluster][t]).isEqualTo(min);
        }
      }
    }
  }

  @Test
  void anEmptyClusterStaysFiniteAndUnseen() {
    try (Scope scope = Scope.open()) {
      KeyStatistics statistics = KeyStatistics.of(head.operands(), keys);
      assertThat(statistics.means().isFinite().all().isTrue()).isTrue();
      assertThat(statistics.logSizes().toFloats()[CLUSTERS - 1]).isEqualTo((float) Operands.UNSEEN);
      assertThat(statistics.logSizes().toFloats()[0]).isEqualTo((float) Math.log(keys.size(0)));
    }
  }
}
