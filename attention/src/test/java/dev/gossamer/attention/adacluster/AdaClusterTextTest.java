package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.adacluster.AdaClusterSettings.KeyCounts;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Tail;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Text;
import dev.gossamer.attention.rivals.Rivals;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** AdaCluster 1.7: text in the same sequence, before the video or behind it. */
class AdaClusterTextTest {
  private static final int VIDEO = 500;

  static Stream<Arguments> layouts() {
    return Stream.of(
            new TokenGrid(1, 20, 25, 30, 0),
            new TokenGrid(5, 10, 10, 0, 47),
            new TokenGrid(1, 20, 25, 7, 1))
        .flatMap(
            grid ->
                Stream.of(
                    Arguments.of(grid, "cluster", quick(AdaClusterSettings.CLUSTER)),
                    Arguments.of(grid, "default", quick(AdaClusterSettings.DEFAULT)),
                    Arguments.of(grid, "sparge", quick(Rivals.SPARGE))));
  }

  private static AdaClusterSettings quick(AdaClusterSettings settings) {
    return settings
        .withScorer(AdaClusterTest.asksEveryQuery(settings.scorer()))
        .withKeyCounts(KeyCounts.FIXED)
        .withQueryClusters(12)
        .withKeyClusters(40)
        .withTileQueries(20)
        .withErrorTarget(0)
        .withDenseSteps(0)
        .withDenseLayers(List.of())
        .withMinTokens(0)
        .withProducts(AdaClusterSettings.Products.INPUT);
  }

  /** The same video tokens for every grid, with text tokens of another kind around them. */
  private static double[][] around(long seed, TokenGrid grid, double centre) {
    double[][] rows = Tokens.normal(seed + 50, grid.tokens(), 64);
    double[][] video = Tokens.grouped(seed, VIDEO, 64, 15, centre, 0.6);
    System.arraycopy(video, 0, rows, grid.textBefore(), VIDEO);
    return rows;
  }

  private static boolean isText(TokenGrid grid, int token) {
    return token < grid.textBefore() || token >= grid.textBefore() + VIDEO;
  }

  private static double[][] attend(
      AdaClusterSettings settings, TokenGrid grid, double[][] q, double[][] k, double[][] v) {
    AttentionPlan plan = new AttentionPlan(1, 1, 1, grid, 0, Set.of(), 0);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new AdaCluster(settings).open(plan, threads)) {
      Tensor output =
          session
              .attention(0, 0)
              .attend(
                  Tokens.heads(DType.FLOAT32, q),
                  Tokens.heads(DType.FLOAT32, k),
                  Tokens.heads(DType.FLOAT32, v),
                  0);
      return Tokens.rows(output, 0, 0);
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layouts")
  void rowsOfTextAreThoseOfDenseAttention(
      TokenGrid grid, String name, AdaClusterSettings settings) {
    double[][] q = around(1, grid, 1.5);
    double[][] k = around(2, grid, 1);
    double[][] v = around(3, grid, 0.5);
    double[][] dense = PlainAttention.dense(q, k, v);
    for (Tail tail : Tail.values()) {
      double[][] output = attend(settings.withTail(tail), grid, q, k, v);
      double worstText = 0;
      double worstVideo = 0;
      for (int i = 0; i < grid.tokens(); i++) {
        double[][] row = {output[i]};
        double off = PlainAttention.worstRow(row, new double[][] {dense[i]});
        if (isText(grid, i)) {
          worstText = Math.max(worstText, off);
        } else {
          worstVideo = Math.max(worstVideo, off);
        }
      }
      assertThat(worstText).isLessThan(2e-6);
      assertThat(worstVideo).isGreaterThan(1e-3);
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layouts")
  void everyVideoTokenAttendsToAllText(TokenGrid grid, String name, AdaClusterSettings settings) {
    Choice choice = Choice.of(settings, grid, around(1, grid, 1.5), around(2, grid, 1));
    for (int i = 0; i < grid.tokens(); i++) {
      for (int j = 0; j < grid.tokens(); j++) {
        if (isText(grid, j)) {
          assertThat(choice.selected()[i][choice.keyLabels()[j]]).isTrue();
          assertThat(isText(grid, i) || choice.keyLabels()[i] != choice.keyLabels()[j]).isTrue();
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layouts")
  void isMaskedAttentionOverWhatItSelectedWithTextAmongIt(
      TokenGrid grid, String name, AdaClusterSettings settings) {
    double[][] q = around(1, grid, 1.5);
    double[][] k = around(2, grid, 1);
    double[][] v = around(3, grid, 0.5);
    Choice choice = Choice.of(settings, grid, q, k);
    assertThat(
            PlainAttention.worstRow(
                attend(settings.withTail(Tail.OFF), grid, q, k, v),
                PlainAttention.selected(q, k, v, choice.keyLabels(), choice.selected())))
        .isLessThan(2e-6);
    assertThat(
            PlainAttention.worstRow(
                attend(settings.withTail(Tail.CENTROID), grid, q, k, v),
                PlainAttention.withTail(q, k, v, choice.keyLabels(), choice.selected())))
        .isLessThan(2e-6);
    assertThat(choice.call().density())
        .isCloseTo(choice.density(), org.assertj.core.api.Assertions.within(1e-9));
  }

  /** Statistics of text would disturb the clusters of the video. */
  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layouts")
  void textDoesNotChangeTheClustersOfTheVideo(
      TokenGrid grid, String name, AdaClusterSettings settings) {
    TokenGrid bare = TokenGrid.video(grid.frames(), grid.height(), grid.width());
    Choice with = Choice.of(settings, grid, around(1, grid, 1.5), around(2, grid, 1));
    Choice without = Choice.of(settings, bare, around(1, bare, 1.5), around(2, bare, 1));
    assertThat(video(grid, with.keyLabels())).isEqualTo(without.keyLabels());
    assertThat(video(grid, with.queryLabels())).isEqualTo(without.queryLabels());
  }

  private static int[] video(TokenGrid grid, int[] labels) {
    return Arrays.copyOfRange(labels, grid.textBefore(), grid.textBefore() + VIDEO);
  }

  @Test
  void clusteredTextIsTreatedAsVideo() {
    TokenGrid grid = new TokenGrid(1, 20, 25, 30, 12);
    TokenGrid flat = TokenGrid.video(1, 1, grid.tokens());
    double[][] q = around(1, grid, 1.5);
    double[][] k = around(2, grid, 1);
    double[][] v = around(3, grid, 0.5);
    AdaClusterSettings settings = quick(AdaClusterSettings.DEFAULT).withText(Text.CLUSTERED);
    assertThat(attend(settings, grid, q, k, v)).isDeepEqualTo(attend(settings, flat, q, k, v));
  }

  /** The paper's counts per layer, with text protected, over several steps and with old labels. */
  @Test
  void rowsOfTextStayDenseWithCountsPerLayerAndKeptLabels() {
    TokenGrid grid = new TokenGrid(1, 20, 25, 30, 12);
    AdaClusterSettings settings =
        AdaClusterSettings.CLUSTER
            .withDenseSteps(0)
            .withDenseLayers(List.of())
            .withMinTokens(0)
            .withProducts(AdaClusterSettings.Products.INPUT)
            .withReclusterEvery(2);
    AttentionPlan plan = new AttentionPlan(1, 1, 4, grid, 0, Set.of(), 0);
    try (Threads threads = new Threads(2);
        AttentionSession session = new AdaCluster(settings).open(plan, threads)) {
      for (int step = 0; step < 4; step++) {
        double[][] q = around(10 + step, grid, 1.5);
        double[][] k = around(20 + step, grid, 1);
        double[][] v = around(30 + step, grid, 0.5);
        double[][] dense = PlainAttention.dense(q, k, v);
        try (Scope scope = Scope.open()) {
          double[][] output =
              Tokens.rows(
                  session
                      .attention(0, 0)
                      .attend(
                          Tokens.heads(DType.FLOAT32, q),
                          Tokens.heads(DType.FLOAT32, k),
                          Tokens.heads(DType.FLOAT32, v),
                          step),
                  0,
                  0);
          for (int i = 0; i < grid.tokens(); i++) {
            if (isText(grid, i)) {
              assertThat(
                      PlainAttention.worstRow(
                          new double[][] {output[i]}, new double[][] {dense[i]}))
                  .isLessThan(2e-6);
            }
          }
        }
      }
      List<AttentionReport.Call> calls = session.report().calls();
      assertThat(calls.stream().map(call -> call.dense().isEmpty()))
          .containsExactly(false, true, true, true);
    }
  }
}
