package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.MadeUpVideo;
import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Grouping;
import dev.gossamer.attention.adacluster.AdaClusterSettings.KeyCounts;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Tail;
import dev.gossamer.attention.rivals.Rivals;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The whole way of one head, from tokens to output, against the oracle. */
class AdaClusterTest {
  private static final int TOKENS = 700;
  private static final TokenGrid GRID = TokenGrid.video(7, 10, 10);
  private static final MadeUpVideo VIDEO = new MadeUpVideo(GRID, 1, 64, 1, 1, 2, 0.6);

  /** Each by libtorch, and by whatever a processor has that is faster. */
  static Stream<Arguments> settings() {
    return named()
        .flatMap(
            arguments ->
                Arrays.stream(AdaClusterSettings.Execution.values())
                    .map(
                        execution ->
                            Arguments.of(
                                arguments.get()[0] + ", " + execution,
                                ((AdaClusterSettings) arguments.get()[1])
                                    .withExecution(execution))));
  }

  private static Stream<Arguments> named() {
    return Stream.of(
        Arguments.of("paper", quick(AdaClusterSettings.PAPER)),
        Arguments.of("cluster", quick(AdaClusterSettings.CLUSTER)),
        Arguments.of("default", quick(AdaClusterSettings.DEFAULT)),
        Arguments.of("svg2", quick(Rivals.SVG2)),
        Arguments.of("sparge", quick(Rivals.SPARGE)),
        Arguments.of(
            "pseudo-Quest", quick(AdaClusterSettings.DEFAULT).withScorer(new PseudoQuest())),
        Arguments.of(
            "mass", quick(AdaClusterSettings.DEFAULT).withRule(new SelectionRule.Mass(0.8, 0.05))),
        Arguments.of(
            "top 5", quick(AdaClusterSettings.PAPER).withRule(new SelectionRule.TopClusters(5))));
  }

  /** Those that cluster: blocks are blocks, whatever is in them. */
  static Stream<Arguments> clusterings() {
    return settings().filter(arguments -> !arguments.get()[0].toString().startsWith("sparge"));
  }

  /** With a tail all queries are asked, without one a sample: so that both select the same. */
  static ClusterScorer asksEveryQuery(ClusterScorer scorer) {
    return scorer instanceof QueryMass || scorer instanceof ExpectedError
        ? ClusterScorer.parse(scorer.name() + "(all)")
        : scorer;
  }

  /** Sparse from the first step on, with clusters that fit into a head's numbers. */
  private static AdaClusterSettings quick(AdaClusterSettings settings) {
    return settings
        .withScorer(asksEveryQuery(settings.scorer()))
        .withKeyCounts(KeyCounts.FIXED)
        .withQueryClusters(12)
        .withKeyClusters(40)
        .withTileQueries(20)
        .withErrorTarget(0)
        .withDenseSteps(0)
        .withDenseLayers(java.util.List.of())
        .withMinTokens(0)
        .withProducts(AdaClusterSettings.Products.INPUT);
  }

  private static double[][] attend(
      AdaClusterSettings settings, DType dtype, double[][] q, double[][] k, double[][] v) {
    AttentionPlan plan =
        new AttentionPlan(1, 1, 1, TokenGrid.video(1, 1, q.length), 0, Set.of(), 0);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new AdaCluster(settings).open(plan, threads)) {
      Tensor output =
          session
              .attention(0, 0)
              .attend(Tokens.heads(dtype, q), Tokens.heads(dtype, k), Tokens.heads(dtype, v), 0);
      assertThat(session.report().calls().get(0).dense()).isEmpty();
      return Tokens.rows(output, 0, 0);
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void isMaskedAttentionOverWhatItSelected(String name, AdaClusterSettings settings) {
    double[][] q = VIDEO.query(0, 0, 0, 0);
    double[][] k = VIDEO.key(0, 0, 0, 0);
    double[][] v = VIDEO.value(0, 0, 0, 0);
    Choice choice = Choice.of(settings, GRID, q, k);
    double[][] expected = PlainAttention.selected(q, k, v, choice.keyLabels(), choice.selected());
    double[][] withTail = PlainAttention.withTail(q, k, v, choice.keyLabels(), choice.selected());
    assertThat(
            PlainAttention.worstRow(
                attend(settings.withTail(Tail.OFF), DType.FLOAT32, q, k, v), expected))
        .isLessThan(2e-6);
    assertThat(
            PlainAttention.worstRow(
                attend(settings.withTail(Tail.CENTROID), DType.FLOAT32, q, k, v), withTail))
        .isLessThan(2e-6);
    assertThat(PlainAttention.worstRow(withTail, expected)).isGreaterThan(1e-3);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void reportsTheDensityOfTheSelection(String name, AdaClusterSettings settings) {
    Choice choice = Choice.of(settings, GRID, VIDEO.query(0, 0, 0, 0), VIDEO.key(0, 0, 0, 0));
    AttentionReport.Call call = choice.call();
    assertThat(call.density()).isCloseTo(choice.density(), within(1e-9)).isLessThan(0.9);
    assertThat(call.queryClusters())
        .isEqualTo((int) Arrays.stream(choice.queryLabels()).distinct().count());
    assertThat(call.keyClusters())
        .isEqualTo((int) Arrays.stream(choice.keyLabels()).distinct().count());
    assertThat(call.pseudoKeys()).isZero();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void everyRowSelectsSomething(String name, AdaClusterSettings settings) {
    Choice choice = Choice.of(settings, GRID, VIDEO.query(0, 0, 0, 0), VIDEO.key(0, 0, 0, 0));
    for (boolean[] row : choice.selected()) {
      int keys = 0;
      for (int label : choice.keyLabels()) {
        keys += row[label] ? 1 : 0;
      }
      assertThat(keys).isPositive();
      if (settings.rule().forTokens(TOKENS) instanceof SelectionRule.Budget budget) {
        assertThat(keys).isGreaterThanOrEqualTo((int) Math.round(budget.share() * TOKENS));
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void aClusterOfQueriesSharesItsSelection(String name, AdaClusterSettings settings) {
    Choice choice =
        Choice.of(
            settings.withGrouping(Grouping.CLUSTER),
            GRID,
            VIDEO.query(0, 0, 0, 0),
            VIDEO.key(0, 0, 0, 0));
    boolean[][] ofCluster = new boolean[TOKENS][];
    for (int i = 0; i < TOKENS; i++) {
      int label = choice.queryLabels()[i];
      if (ofCluster[label] == null) {
        ofCluster[label] = choice.selected()[i];
      }
      assertThat(choice.selected()[i]).isEqualTo(ofCluster[label]);
    }
  }

  @Test
  void selectsWhatMattersMoreThanChance() {
    for (Arguments arguments : settings().toList()) {
      Choice choice =
          Choice.of(
              (AdaClusterSettings) arguments.get()[1],
              GRID,
              VIDEO.query(0, 0, 0, 0),
              VIDEO.key(0, 0, 0, 0));
      assertThat(mean(recalls(choice)))
          .as("" + arguments.get()[0])
          .isGreaterThan(1.5 * choice.density());
    }
  }

  /** Sixteen rows speak for all: the estimate lies within four standard errors of the truth. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void recallInTheReportIsThatOfTheExactSoftmax(String name, AdaClusterSettings settings) {
    Choice choice = Choice.of(settings, GRID, VIDEO.query(0, 0, 0, 0), VIDEO.key(0, 0, 0, 0));
    double[] recalls = recalls(choice);
    double mean = mean(recalls);
    double deviation =
        Math.sqrt(Arrays.stream(recalls).map(r -> (r - mean) * (r - mean)).sum() / TOKENS);
    assertThat(choice.call().recall()).isCloseTo(mean, within(4 * deviation / Math.sqrt(16)));
    assertThat(deviation).isLessThan(0.25);
  }

  private static double[] recalls(Choice choice) {
    double[][] masses =
        PlainAttention.masses(
            VIDEO.query(0, 0, 0, 0), VIDEO.key(0, 0, 0, 0), choice.keyLabels(), 64);
    double[] recalls = new double[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
      for (int j = 0; j < 64; j++) {
        recalls[i] += choice.selected()[i][j] ? masses[i][j] : 0;
      }
    }
    return recalls;
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().getAsDouble();
  }

  @Test
  void recallIsNanUnlessItIsMeasuredAndOneForFullAttention() {
    AdaClusterSettings half = quick(AdaClusterSettings.DEFAULT).withDenseSteps(0.5);
    for (boolean measured : new boolean[] {false, true}) {
      try (Scope scope = Scope.open();
          Threads threads = new Threads(1);
          AttentionSession session =
              new AdaCluster(half).open(VIDEO.plan(0, Set.of(), measured), threads)) {
        VIDEO.attend(session, DType.FLOAT32, 0, 0, 0);
        VIDEO.attend(session, DType.FLOAT32, 1, 0, 0);
        assertThat(session.report().calls().get(0).recall()).isEqualTo(1);
        double recall = session.report().calls().get(1).recall();
        assertThat(Double.isNaN(recall)).isNotEqualTo(measured);
      }
    }
  }

  @Test
  void theTailIsReportedAsOnePointPerCluster() {
    AdaClusterSettings settings = quick(AdaClusterSettings.DEFAULT).withTail(Tail.CENTROID);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new AdaCluster(settings).open(VIDEO.plan(), threads)) {
      VIDEO.attend(session, DType.FLOAT32, 0, 0, 0);
      AttentionReport.Call call = session.report().calls().get(0);
      assertThat(call.pseudoKeys()).isCloseTo(call.keyClusters() / (double) TOKENS, within(1e-12));
    }
  }

  /** All keys alike: any selection that is not everything would average too few values. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("clusterings")
  void equalKeysAreOneClusterAndEqualDense(String name, AdaClusterSettings settings) {
    double[][] k = new double[TOKENS][64];
    Arrays.stream(k).forEach(row -> row[7] = 1.5);
    double[][] q = VIDEO.query(0, 0, 0, 0);
    double[][] v = VIDEO.value(0, 0, 0, 0);
    assertThat(
            PlainAttention.worstRow(
                attend(settings, DType.FLOAT32, q, k, v), PlainAttention.dense(q, k, v)))
        .isLessThan(2e-6);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void equalQueriesAndZerosAreNoTrouble(String name, AdaClusterSettings settings) {
    double[][] same = new double[TOKENS][];
    Arrays.fill(same, VIDEO.query(0, 0, 0, 0)[3]);
    double[][] zeros = new double[TOKENS][64];
    double[][] v = VIDEO.value(0, 0, 0, 0);
    for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
      assertFinite(attend(settings, dtype, same, VIDEO.key(0, 0, 0, 0), v));
      assertFinite(attend(settings, dtype, zeros, VIDEO.key(0, 0, 0, 0), v));
      assertFinite(attend(settings, dtype, VIDEO.query(0, 0, 0, 0), zeros, v));
      assertFinite(attend(settings, dtype, zeros, zeros, v));
    }
  }

  private static void assertFinite(double[][] rows) {
    assertThat(Arrays.stream(rows).flatMapToDouble(Arrays::stream).allMatch(Double::isFinite))
        .isTrue();
  }

  /** A NaN must show in the output instead of hiding, and must not break anything. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void aTokenThatIsNotFiniteShowsInTheOutput(String name, AdaClusterSettings settings) {
    double[][] q = VIDEO.query(0, 0, 0, 0);
    double[][] k = VIDEO.key(0, 0, 0, 0);
    double[][] v = VIDEO.value(0, 0, 0, 0);
    for (double poison : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
        assertThat(attend(settings, dtype, poisoned(q, poison), k, v)[99]).contains(Double.NaN);
        assertThat(
                Arrays.stream(attend(settings, dtype, q, poisoned(k, poison), v))
                    .flatMapToDouble(Arrays::stream)
                    .anyMatch(Double::isNaN))
            .isTrue();
      }
    }
  }

  private static double[][] poisoned(double[][] rows, double poison) {
    double[][] copy = rows.clone();
    copy[99] = rows[99].clone();
    copy[99][5] = poison;
    return copy;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("settings")
  void largeLogitsDoNotOverflow(String name, AdaClusterSettings settings) {
    double[][] q = Tokens.grouped(1, TOKENS, 64, 12, 15, 3);
    double[][] k = Tokens.grouped(1, TOKENS, 64, 12, 15, 3); // logits up to 2,000
    double[][] v = VIDEO.value(0, 0, 0, 0);
    for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16}) {
      assertFinite(attend(settings, dtype, q, k, v));
    }
  }

  /**
   * Half precision inputs are multiplied in float32: what is left is the rounding of the output.
   */
  @Test
  void halfPrecisionInputsLoseNothingInside() {
    AdaClusterSettings settings =
        quick(AdaClusterSettings.DEFAULT).withRule(new SelectionRule.TopShare(1));
    double[][] output =
        attend(
            settings,
            DType.FLOAT16,
            VIDEO.query(0, 0, 0, 0),
            VIDEO.key(0, 0, 0, 0),
            VIDEO.value(0, 0, 0, 0));
    assertThat(PlainAttention.worstRow(output, VIDEO.dense(DType.FLOAT16, 0, 0, 0, 0)))
        .isLessThan(1e-3);
  }

  @Test
  void productsInBf16AreCloseToThoseInFloat32() {
    double[][] q = VIDEO.query(0, 0, 0, 0);
    double[][] k = VIDEO.key(0, 0, 0, 0);
    double[][] v = VIDEO.value(0, 0, 0, 0);
    AdaClusterSettings settings =
        quick(AdaClusterSettings.DEFAULT).withRule(new SelectionRule.TopShare(1));
    double[][] exact = attend(settings, DType.FLOAT32, q, k, v);
    double[][] coarse =
        attend(settings.withProducts(AdaClusterSettings.Products.BFLOAT16), DType.FLOAT32, q, k, v);
    assertThat(PlainAttention.worstRow(coarse, exact)).isBetween(1e-5, 2e-2);
  }
}
