package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.ClusteredHead;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.vector.VectorApi;
import dev.gossamer.attention.vector.VectorMemory;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Both executions of one head: the same scores, the same output, the oracle's output. */
class VectorExecutionTest {
  @BeforeAll
  static void vectors() {
    assumeTrue(VectorApi.available(), () -> VectorApi.whyNot().orElse(""));
  }

  private static ClusterLayout random(long seed, int tokens, int clusters) {
    return ClusterLayout.of(Tokens.labels(seed, tokens, clusters), clusters);
  }

  private static ClusterLayout sized(long seed, int... sizes) {
    return ClusterLayout.of(Tokens.labelsOfSizes(seed, sizes), sizes.length);
  }

  static Stream<Arguments> shapes() {
    return Stream.of(
        Arguments.of("one token", sized(1, 1), sized(2, 1), 64),
        Arguments.of("seven", random(1, 7, 3), random(2, 7, 4), 64),
        Arguments.of("more clusters than tokens", random(1, 64, 90), random(2, 64, 90), 8),
        Arguments.of("1000", random(1, 1000, 40), random(2, 1000, 62), 64),
        Arguments.of("headDim 128", random(1, 333, 7), random(2, 333, 31), 128),
        Arguments.of("headDim 96", random(1, 333, 7), random(2, 333, 31), 96),
        Arguments.of("headDim 36", random(1, 333, 7), random(2, 333, 31), 36),
        Arguments.of("giants", sized(1, 3, 0, 900, 97), sized(2, 0, 1, 990, 9, 0), 64),
        Arguments.of(
            "odd sizes",
            sized(1, 1, 0, 7, 8, 9, 0, 0, 15, 16, 17, 47, 48, 49, 127, 128, 129, 0, 331),
            sized(2, 1, 7, 0, 8, 9, 63, 64, 65, 127, 0, 0, 128, 129, 331, 0),
            64));
  }

  private interface Work {
    void on(HeadExecution execution);
  }

  /** Runs work on one execution after the other, each with threads of its own. */
  private static void both(ClusteredHead head, Work work) {
    for (boolean onVectors : new boolean[] {false, true}) {
      int tokens = head.q().length;
      AttentionPlan plan =
          new AttentionPlan(1, 1, 1, TokenGrid.video(1, 1, tokens), 0, Set.of(), 16);
      ClusteredTokens all = new ClusteredTokens(0, tokens, tokens);
      try (Threads threads = new Threads(2);
          AdaClusterSession session =
              new AdaClusterSession(plan, AdaClusterSettings.DEFAULT, threads)) {
        Tensor q = Tokens.tensor(head.q()).to(DType.FLOAT32);
        Tensor k = Tokens.tensor(head.k()).to(DType.FLOAT32);
        Tensor v = Tokens.tensor(head.v()).to(DType.FLOAT32);
        work.on(
            onVectors
                ? new VectorExecution(session, all, q, k, v, new VectorMemory(), 2)
                : new LibtorchExecution(session, DType.FLOAT32, all, q, k, v, 2));
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("shapes")
  void attendsAsTheOracleDoes(String name, ClusterLayout queries, ClusterLayout keys, int headDim) {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(5, headDim, queries, keys, DType.FLOAT32);
      QueryGroups groups = QueryGroups.cuts(queries, 50);
      KeySelection some = ClusteredHead.randomSelection(9, groups.count(), keys.clusters(), 0.3);
      for (boolean tail : new boolean[] {true, false}) {
        double[][] expected =
            tail ? head.expectedWithTail(groups, some) : head.expected(groups, some);
        both(
            head,
            execution -> {
              execution.sort(queries, keys, groups, tail);
              Tensor output = Tensor.full(Double.NaN, DType.FLOAT32, queries.tokens(), headDim);
              execution.attend(some, output);
              assertThat(PlainAttention.worstRow(Tokens.rows(output), expected)).isLessThan(3e-6);
            });
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("shapes")
  void scoresAreTheSame(String name, ClusterLayout queries, ClusterLayout keys, int headDim) {
    List<ClusterScorer> scorers =
        Stream.of("tensorQuest", "centroidMass", "pseudoQuest", "queryMass(3)", "expectedError")
            .map(ClusterScorer::parse)
            .toList();
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(6, headDim, queries, keys, DType.FLOAT32);
      QueryGroups groups = QueryGroups.cuts(queries, 50);
      for (ClusterScorer scorer : scorers) {
        for (boolean tail : new boolean[] {true, false}) {
          double[][][] scores = new double[1][][];
          both(
              head,
              execution -> {
                Tensor score = scorer.score(execution.sort(queries, keys, groups, tail));
                double[][] rows = Tokens.rows(score);
                if (scores[0] == null) {
                  scores[0] = rows;
                } else {
                  assertSame(scorer.name(), rows, scores[0], keys);
                }
              });
        }
      }
    }
  }

  private static void assertSame(
      String scorer, double[][] actual, double[][] expected, ClusterLayout keys) {
    for (int group = 0; group < expected.length; group++) {
      for (int cluster = 0; cluster < keys.clusters(); cluster++) {
        if (keys.size(cluster) > 0) { // scores of empty clusters are ignored
          assertThat(actual[group][cluster])
              .as(scorer)
              .isCloseTo(
                  expected[group][cluster],
                  within(1e-5 + 1e-4 * Math.abs(expected[group][cluster])));
        }
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("shapes")
  void recallIsTheSame(String name, ClusterLayout queries, ClusterLayout keys, int headDim) {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(7, headDim, queries, keys, DType.FLOAT32);
      QueryGroups groups = QueryGroups.cuts(queries, 50);
      KeySelection some = ClusteredHead.randomSelection(3, groups.count(), keys.clusters(), 0.4);
      for (int rows : new int[] {1, 16, 200}) {
        double[] recall = {Double.NaN};
        both(
            head,
            execution -> {
              execution.sort(queries, keys, groups, false);
              double found = execution.recall(some, rows);
              if (Double.isNaN(recall[0])) {
                recall[0] = found;
              }
              assertThat(found).isCloseTo(recall[0], within(1e-5));
            });
      }
    }
  }
}
