package dev.gossamer.attention.clusters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import org.junit.jupiter.api.Test;

/** The tail of 1.9 as one product for all queries, against sums in float64. */
class CoarseAttentionTest {
  private static final int TOKENS = 700;
  private static final int CLUSTERS = 30;

  private final ClusterLayout queries = ClusterLayout.of(Tokens.labels(1, TOKENS, 11), 11);
  private final ClusterLayout keys = ClusterLayout.of(Tokens.labels(2, 500, CLUSTERS), CLUSTERS);
  private final QueryGroups groups = QueryGroups.cuts(queries, 40);

  @Test
  void weightsAreTheSoftmaxOverPoints() {
    try (Scope scope = Scope.open()) {
      Operands operands = head().operands();
      ClusterTail points = points(operands);
      double[][] logits = logits(operands, points);
      double[][] weights =
          Tokens.rows(new CoarseAttention(operands, points).weights().orElseThrow());
      for (int i = 0; i < TOKENS; i++) {
        double sum = 0;
        for (double logit : logits[i]) {
          sum += Math.exp(logit);
        }
        for (int c = 0; c < CLUSTERS; c++) {
          assertThat(weights[i][c]).isCloseTo(Math.exp(logits[i][c]) / sum, within(1e-5));
        }
      }
    }
  }

  @Test
  void theRestIsTheSumOverUnselectedPoints() {
    try (Scope scope = Scope.open()) {
      Operands operands = head().operands();
      ClusterTail points = points(operands);
      double[][] logits = logits(operands, points);
      double[][] values = Tokens.rows(points.values());
      KeySelection some = ClusteredHead.randomSelection(4, groups.count(), CLUSTERS, 0.4);
      CoarseAttention.Rest rest = new CoarseAttention(operands, points).without(groups, some);
      double[][] sums = Tokens.rows(rest.sums());
      double[][] logSums = Tokens.rows(rest.logSums());
      double[][] outputs = Tokens.rows(rest.values());
      for (int group = 0; group < groups.count(); group++) {
        boolean[] seen = new boolean[CLUSTERS];
        for (int at = some.start(group); at < some.end(group); at++) {
          seen[some.cluster(at)] = true;
        }
        for (int i = groups.start(group); i < groups.start(group + 1); i++) {
          double sum = 0;
          double first = 0;
          for (int c = 0; c < CLUSTERS; c++) {
            double weight = seen[c] ? 0 : Math.exp(logits[i][c]);
            sum += weight;
            first += weight * values[c][0];
          }
          assertThat(logSums[i][0] + Math.log(sums[i][0])).isCloseTo(Math.log(sum), within(1e-4));
          assertThat(outputs[i][0] / sums[i][0]).isCloseTo(first / sum, within(1e-4));
        }
      }
    }
  }

  @Test
  void aRowThatSelectsEverythingLeavesNextToNothing() {
    try (Scope scope = Scope.open()) {
      Operands operands = head().operands();
      KeySelection all = KeySelection.all(groups.count(), CLUSTERS);
      CoarseAttention.Rest rest =
          new CoarseAttention(operands, points(operands)).without(groups, all);
      for (double[] row : Tokens.rows(rest.sums())) {
        assertThat(row[0]).isPositive().isLessThan(1e-20);
      }
    }
  }

  @Test
  void weightsServeOnce() {
    try (Scope scope = Scope.open()) {
      Operands operands = head().operands();
      CoarseAttention coarse = new CoarseAttention(operands, points(operands));
      KeySelection all = KeySelection.all(groups.count(), CLUSTERS);
      coarse.without(groups, all);
      assertThatThrownBy(() -> coarse.without(groups, all))
          .isInstanceOf(IllegalStateException.class);
    }
  }

  private ClusteredHead head() {
    return ClusteredHead.random(3, 64, queries, keys, DType.FLOAT32);
  }

  private ClusterTail points(Operands operands) {
    return KeyStatistics.of(operands, keys).tail(DType.FLOAT32);
  }

  private static double[][] logits(Operands operands, ClusterTail points) {
    return Tokens.rows(
        operands
            .queries()
            .to(DType.FLOAT64)
            .matmul(points.keys().to(DType.FLOAT64).transpose(0, 1)));
  }
}
