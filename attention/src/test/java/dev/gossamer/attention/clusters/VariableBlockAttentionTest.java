package dev.gossamer.attention.clusters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** AdaCluster 1.5 and 1.9 against the oracle, for labels and selections given from outside. */
class VariableBlockAttentionTest {
  /** Largest difference in a row over the row's length: rounding of sums and exponentials. */
  private static final double FLOAT32 = 2e-6;

  /** bf16 has 8 significant bits; logits, weights and values are all rounded to them. */
  private static final double BFLOAT16 = 2e-2;

  private static double tolerance(DType products) {
    return products == DType.FLOAT32 ? FLOAT32 : BFLOAT16;
  }

  private static ClusterLayout random(long seed, int tokens, int clusters) {
    return ClusterLayout.of(Tokens.labels(seed, tokens, clusters), clusters);
  }

  private static ClusterLayout sized(long seed, int... sizes) {
    return ClusterLayout.of(Tokens.labelsOfSizes(seed, sizes), sizes.length);
  }

  /** One cluster with most tokens, many with few or none. */
  private static ClusterLayout giant(long seed, int tokens) {
    int[] sizes = new int[20];
    sizes[7] = tokens * 9 / 10;
    sizes[19] = 3;
    sizes[3] = tokens - sizes[7] - sizes[19];
    return sized(seed, sizes);
  }

  static Stream<Arguments> shapes() {
    return Stream.of(
        Arguments.of("one token", sized(1, 1), sized(1, 1), 64, DType.FLOAT32),
        Arguments.of("seven", random(1, 7, 3), random(2, 7, 4), 64, DType.FLOAT32),
        Arguments.of("seven bf16", random(1, 7, 3), random(2, 7, 4), 64, DType.BFLOAT16),
        Arguments.of("64 x 1", random(1, 64, 10), random(2, 1, 1), 64, DType.FLOAT32),
        Arguments.of("64, more clusters", random(1, 64, 90), random(2, 64, 90), 8, DType.FLOAT32),
        Arguments.of("1000", random(1, 1000, 40), random(2, 1000, 62), 64, DType.FLOAT32),
        Arguments.of("1000 bf16", random(1, 1000, 40), random(2, 1000, 62), 64, DType.BFLOAT16),
        Arguments.of("headDim 128", random(1, 200, 7), random(2, 333, 31), 128, DType.FLOAT32),
        Arguments.of("headDim 36", random(1, 200, 7), random(2, 333, 31), 36, DType.BFLOAT16),
        Arguments.of("giant", giant(1, 1000), giant(2, 1000), 64, DType.FLOAT32),
        Arguments.of("giant bf16", giant(1, 1000), giant(2, 1000), 64, DType.BFLOAT16),
        Arguments.of(
            "odd sizes",
            sized(1, 1, 0, 7, 8, 9, 0, 0, 15, 16, 17, 47, 48, 49, 127, 128, 129, 0, 300),
            sized(2, 1, 7, 0, 8, 9, 63, 64, 65, 127, 0, 0, 128, 129, 700, 0),
            64,
            DType.FLOAT32),
        Arguments.of("several passes", sized(1, 300, 4), random(2, 4200, 3), 16, DType.FLOAT32),
        Arguments.of("2305", random(1, 500, 13), random(2, 2305, 144), 64, DType.FLOAT32));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("shapes")
  void equalsDenseWhenEveryClusterIsSelected(
      String name, ClusterLayout queries, ClusterLayout keys, int headDim, DType products) {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(5, headDim, queries, keys, products);
      QueryGroups groups = QueryGroups.clusters(queries);
      KeySelection all = KeySelection.all(groups.count(), keys.clusters());
      double[][] dense = PlainAttention.dense(head.q(), head.k(), head.v());
      assertThat(PlainAttention.worstRow(head.attend(groups, all), dense))
          .isLessThan(tolerance(products));
      assertThat(PlainAttention.worstRow(head.attendWithTail(groups, all), dense))
          .isLessThan(tolerance(products));
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("shapes")
  void equalsMaskedAttentionForARandomSelection(
      String name, ClusterLayout queries, ClusterLayout keys, int headDim, DType products) {
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(6, headDim, queries, keys, products);
      QueryGroups groups = QueryGroups.cuts(queries, 48);
      KeySelection some = ClusteredHead.randomSelection(7, groups.count(), keys.clusters(), 0.3);
      assertThat(PlainAttention.worstRow(head.attend(groups, some), head.expected(groups, some)))
          .isLessThan(tolerance(products));
      assertThat(
              PlainAttention.worstRow(
                  head.attendWithTail(groups, some), head.expectedWithTail(groups, some)))
          .isLessThan(tolerance(products));
    }
  }

  @Test
  void permutingTokensPermutesTheOutput() {
    int tokens = 300;
    int[] queryLabels = Tokens.labels(1, tokens, 9);
    int[] keyLabels = Tokens.labels(2, tokens, 23);
    int[] order = ClusterLayout.of(Tokens.labels(3, tokens, tokens), tokens).labels();
    int[] shuffle = argsort(order);
    double[][] q = Tokens.normal(4, tokens, 64);
    double[][] k = Tokens.normal(5, tokens, 64);
    double[][] v = Tokens.normal(6, tokens, 64);
    ClusterLayout queries = ClusterLayout.of(queryLabels, 9);
    ClusterLayout keys = ClusterLayout.of(keyLabels, 23);
    ClusterLayout movedQueries = ClusterLayout.of(picked(queryLabels, shuffle), 9);
    ClusterLayout movedKeys = ClusterLayout.of(picked(keyLabels, shuffle), 23);
    KeySelection selection = ClusteredHead.randomSelection(7, 9, 23, 0.4);
    try (Scope scope = Scope.open()) {
      double[][] plain =
          ClusteredHead.of(q, k, v, queries, keys, DType.FLOAT32)
              .attendWithTail(QueryGroups.clusters(queries), selection);
      double[][] moved =
          ClusteredHead.of(
                  picked(q, shuffle),
                  picked(k, shuffle),
                  picked(v, shuffle),
                  movedQueries,
                  movedKeys,
                  DType.FLOAT32)
              .attendWithTail(QueryGroups.clusters(movedQueries), selection);
      assertThat(PlainAttention.worstRow(moved, picked(plain, shuffle))).isLessThan(FLOAT32);
    }
  }

  @ParameterizedTest
  @MethodSource("types")
  void nanInClustersThatNobodySelectsDoesNotLeak(DType products) {
    int[] sizes = {1, 7, 8, 9, 127, 128, 129, 700, 64, 33, 0, 5};
    ClusterLayout keys = sized(1, sizes);
    ClusterLayout queries = sized(2, 1, 7, 49, 130, 0, 16);
    double[][] k = Tokens.normal(3, keys.tokens(), 64);
    double[][] v = Tokens.normal(4, keys.tokens(), 64);
    int[] labels = keys.labels();
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] % 3 == 1) {
        Arrays.fill(k[i], Double.NaN);
        Arrays.fill(v[i], Double.POSITIVE_INFINITY);
      }
    }
    QueryGroups groups = QueryGroups.clusters(queries);
    int[][] rows = new int[groups.count()][];
    Arrays.setAll(
        rows, g -> g % 2 == 0 ? new int[] {0, 2, 3, 5, 6, 8, 9, 11} : new int[] {2, 8, 11});
    KeySelection selection = KeySelection.of(rows);
    try (Scope scope = Scope.open()) {
      ClusteredHead head =
          ClusteredHead.of(Tokens.normal(5, queries.tokens(), 64), k, v, queries, keys, products);
      assertThat(
              PlainAttention.worstRow(
                  head.attend(groups, selection), head.expected(groups, selection)))
          .isLessThan(tolerance(products));
    }
  }

  @Test
  void scratchMemoryThatHeldNanLeavesNoTrace() {
    ClusterLayout keys = sized(1, 40, 50, 60);
    ClusterLayout queries = sized(2, 30, 20);
    QueryGroups groups = QueryGroups.clusters(queries);
    KeySelection first = KeySelection.of(new int[][] {{0, 1, 2}, {0, 1, 2}});
    KeySelection second = KeySelection.of(new int[][] {{0, 2}, {1, 2}});
    try (Scope scope = Scope.open();
        Workspace workspace = new Workspace()) {
      ClusteredHead clean = ClusteredHead.random(3, 64, queries, keys, DType.FLOAT32);
      double[][] nan = new double[150][64];
      Arrays.stream(nan).forEach(row -> Arrays.fill(row, Double.NaN));
      ClusteredHead dirty = ClusteredHead.of(nan, nan, nan, keys, keys, DType.FLOAT32);
      Tensor output = Tensor.zeros(DType.FLOAT32, 150, 64);
      new VariableBlockAttention(
              dirty.operands(),
              keys,
              QueryGroups.clusters(keys),
              KeySelection.all(3, 3),
              Optional.empty())
          .attend(0, 3, output, workspace);
      for (KeySelection selection : new KeySelection[] {first, second}) {
        Tensor sorted = Tensor.zeros(DType.FLOAT32, 50, 64);
        new VariableBlockAttention(clean.operands(), keys, groups, selection, Optional.empty())
            .attend(0, 2, sorted, workspace);
        assertThat(
                PlainAttention.worstRow(
                    Tokens.rows(sorted.indexSelect(0, queries.inverse())),
                    clean.expected(groups, selection)))
            .isLessThan(FLOAT32);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("types")
  void oneWorkspaceServesManyTailsAndSelections(DType products) {
    ClusterLayout queries = sized(1, 48, 48, 48, 48, 20);
    QueryGroups groups = QueryGroups.clusters(queries);
    ClusterLayout keys = random(2, 500, 40);
    try (Scope scope = Scope.open();
        Workspace workspace = new Workspace()) {
      for (int round = 0; round < 4; round++) {
        ClusteredHead head = ClusteredHead.random(round, 64, queries, keys, products);
        Operands operands = head.operands();
        KeySelection some = ClusteredHead.randomSelection(round, groups.count(), 40, 0.2);
        Tensor sorted = Tensor.zeros(products, queries.tokens(), 64);
        CoarseAttention.Rest tail = head.tail(operands, groups, some);
        new VariableBlockAttention(operands, keys, groups, some, Optional.of(tail))
            .attend(0, groups.count(), sorted, workspace);
        assertThat(
                PlainAttention.worstRow(
                    Tokens.rows(sorted.indexSelect(0, queries.inverse())),
                    head.expectedWithTail(groups, some)))
            .isLessThan(tolerance(products));
      }
    }
  }

  @Test
  void aRowThatSelectsNothingIsZero() {
    ClusterLayout keys = sized(1, 30, 0, 20);
    ClusterLayout queries = sized(2, 5, 6, 7);
    QueryGroups groups = QueryGroups.clusters(queries);
    KeySelection selection = KeySelection.of(new int[][] {{}, {0, 2}, {1}});
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(3, 64, queries, keys, DType.FLOAT32);
      double[][] output = head.attend(groups, selection);
      int[] labels = queries.labels();
      for (int i = 0; i < output.length; i++) {
        if (labels[i] != 1) {
          assertThat(output[i]).containsOnly(0);
        }
      }
      assertThat(PlainAttention.worstRow(output, head.expected(groups, selection)))
          .isLessThan(FLOAT32);
    }
  }

  @Test
  void aRowThatSelectsNothingStillSeesTheTail() {
    ClusterLayout keys = sized(1, 30, 0, 20);
    ClusterLayout queries = sized(2, 5, 6);
    QueryGroups groups = QueryGroups.clusters(queries);
    KeySelection selection = KeySelection.of(new int[][] {{}, {0, 2}});
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(3, 64, queries, keys, DType.FLOAT32);
      assertThat(
              PlainAttention.worstRow(
                  head.attendWithTail(groups, selection), head.expectedWithTail(groups, selection)))
          .isLessThan(FLOAT32);
    }
  }

  @Test
  void logitsOfSeveralHundredDoNotOverflow() {
    ClusterLayout keys = random(1, 200, 12);
    ClusterLayout queries = random(2, 100, 5);
    QueryGroups groups = QueryGroups.clusters(queries);
    KeySelection some = ClusteredHead.randomSelection(3, groups.count(), 12, 0.5);
    try (Scope scope = Scope.open()) {
      for (DType products : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
        ClusteredHead head =
            ClusteredHead.of(
                Tokens.grouped(4, 100, 64, 5, 15, 3),
                Tokens.grouped(5, 200, 64, 9, 15, 3),
                Tokens.normal(6, 200, 64),
                queries,
                keys,
                products);
        double[][] output = head.attend(groups, some);
        assertThat(Arrays.stream(output).flatMapToDouble(Arrays::stream).allMatch(Double::isFinite))
            .isTrue();
        if (products == DType.FLOAT32) {
          // A logit of 500 carries an error of 500 * 2^-24, and so does its weight.
          assertThat(PlainAttention.worstRow(output, head.expected(groups, some))).isLessThan(2e-4);
        }
      }
    }
  }

  @Test
  void rangesOfGroupsAddUpToTheWhole() {
    ClusterLayout queries = random(1, 400, 17);
    ClusterLayout keys = random(2, 400, 30);
    QueryGroups groups = QueryGroups.cuts(queries, 20);
    KeySelection some = ClusteredHead.randomSelection(3, groups.count(), 30, 0.3);
    try (Scope scope = Scope.open();
        Workspace workspace = new Workspace()) {
      ClusteredHead head = ClusteredHead.random(4, 64, queries, keys, DType.FLOAT32);
      Operands operands = head.operands();
      VariableBlockAttention attention =
          new VariableBlockAttention(operands, keys, groups, some, Optional.empty());
      Tensor sorted = Tensor.full(Double.NaN, DType.FLOAT32, 400, 64);
      for (int first = 0; first < groups.count(); first += 5) {
        attention.attend(first, Math.min(groups.count(), first + 5), sorted, workspace);
      }
      assertThat(
              PlainAttention.worstRow(
                  Tokens.rows(sorted.indexSelect(0, queries.inverse())),
                  head.expected(groups, some)))
          .isLessThan(FLOAT32);
    }
  }

  @Test
  void refusesASelectionForOtherGroups() {
    ClusterLayout layout = sized(1, 4, 4);
    try (Scope scope = Scope.open()) {
      ClusteredHead head = ClusteredHead.random(1, 64, layout, layout, DType.FLOAT32);
      assertThatThrownBy(
              () -> head.attend(QueryGroups.clusters(layout), KeySelection.of(new int[][] {{0}})))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("1 selections for 2 query groups");
    }
  }

  static Stream<DType> types() {
    return Stream.of(DType.FLOAT32, DType.BFLOAT16);
  }

  private static int[] argsort(int[] keys) {
    return java.util.stream.IntStream.range(0, keys.length)
        .boxed()
        .sorted(java.util.Comparator.comparingInt(i -> keys[i]))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  private static int[] picked(int[] values, int[] order) {
    return Arrays.stream(order).map(i -> values[i]).toArray();
  }

  private static double[][] picked(double[][] values, int[] order) {
    return Arrays.stream(order).mapToObj(i -> values[i]).toArray(double[][]::new);
  }
}
