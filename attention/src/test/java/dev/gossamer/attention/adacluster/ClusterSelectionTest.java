package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The selection rules of 1.4 against a plain sort. */
class ClusterSelectionTest {
  private static final int CLUSTERS = 50;
  private static final int GROUPS = 12;

  /** Sizes from 0 to 40, about a fifth of them 0. */
  private final ClusterLayout layout = layout();

  private final boolean[] none = new boolean[CLUSTERS];

  private static ClusterLayout layout() {
    Random random = new Random(1);
    int[] sizes =
        IntStream.range(0, CLUSTERS)
            .map(j -> random.nextInt(5) == 0 ? 0 : 1 + random.nextInt(40))
            .toArray();
    return ClusterLayout.of(Tokens.labelsOfSizes(2, sizes), CLUSTERS);
  }

  /** Few distinct values, so that many tie; some NaN, some infinite. */
  private static float[] scores(long seed) {
    Random random = new Random(seed);
    float[] scores = new float[GROUPS * CLUSTERS];
    for (int i = 0; i < scores.length; i++) {
      int kind = random.nextInt(40);
      scores[i] =
          kind == 0
              ? Float.NaN
              : kind == 1
                  ? Float.POSITIVE_INFINITY
                  : kind == 2 ? Float.NEGATIVE_INFINITY : (random.nextInt(21) - 10) / 4f;
    }
    return scores;
  }

  /** Shares that add up to 1 over the non-empty clusters of each group. */
  private float[] masses(long seed) {
    Random random = new Random(seed);
    float[] masses = new float[GROUPS * CLUSTERS];
    for (int group = 0; group < GROUPS; group++) {
      double sum = 0;
      for (int j = 0; j < CLUSTERS; j++) {
        masses[group * CLUSTERS + j] = layout.size(j) == 0 ? 0 : (float) random.nextDouble();
        sum += masses[group * CLUSTERS + j];
      }
      for (int j = 0; j < CLUSTERS; j++) {
        masses[group * CLUSTERS + j] /= (float) sum;
      }
    }
    return masses;
  }

  static List<SelectionRule> rules() {
    return List.of(
        new SelectionRule.Budget(0.001),
        new SelectionRule.Budget(0.1),
        new SelectionRule.Budget(0.5),
        new SelectionRule.Budget(1),
        new SelectionRule.TopClusters(1),
        new SelectionRule.TopClusters(7),
        new SelectionRule.TopClusters(1000),
        new SelectionRule.TopShare(0.01),
        new SelectionRule.TopShare(0.15),
        new SelectionRule.TopShare(1),
        new SelectionRule.Mass(0.3, 0),
        new SelectionRule.Mass(0.9, 0.1),
        new SelectionRule.Mass(0.05, 0.5));
  }

  /** Clusters of a group from best to worst: NaN first, then by score, ties by number. */
  private List<Integer> ranked(float[] scores, int group, boolean[] always) {
    List<Integer> order = new ArrayList<>();
    for (int j = 0; j < CLUSTERS; j++) {
      if (layout.size(j) > 0 && !always[j]) {
        order.add(j);
      }
    }
    order.sort(
        (a, b) -> {
          float x = scores[group * CLUSTERS + a];
          float y = scores[group * CLUSTERS + b];
          return Float.compare(y, x) != 0 ? Float.compare(y, x) : a - b;
        });
    return order;
  }

  /** How long a prefix the rule wants, spelt out. */
  private int wanted(SelectionRule rule, List<Integer> order, float[] masses, int group) {
    if (rule instanceof SelectionRule.TopClusters top) {
      return Math.min(order.size(), top.count());
    }
    if (rule instanceof SelectionRule.TopShare top) {
      return (int) Math.max(1, Math.round(top.share() * order.size()));
    }
    int taken = 0;
    double gathered = 0;
    if (rule instanceof SelectionRule.Budget budget) {
      long needed = Math.round(budget.share() * layout.tokens());
      while (taken < order.size() && (taken == 0 || gathered < needed)) {
        gathered += layout.size(order.get(taken++));
      }
      return taken;
    }
    SelectionRule.Mass mass = (SelectionRule.Mass) rule;
    long least = Math.round(mass.leastShare() * order.size());
    while (taken < order.size() && (taken == 0 || gathered < mass.target() || taken < least)) {
      gathered += masses[group * CLUSTERS + order.get(taken++)];
    }
    return taken;
  }

  private static int[] row(KeySelection selection, int group) {
    return IntStream.range(selection.start(group), selection.end(group))
        .map(selection::cluster)
        .toArray();
  }

  @ParameterizedTest
  @MethodSource("rules")
  void takesThePrefixOfAPlainSort(SelectionRule rule) {
    boolean[] always = new boolean[CLUSTERS];
    always[3] = true;
    always[CLUSTERS - 1] = true;
    for (boolean[] fixed : new boolean[][] {none, always}) {
      float[] scores = scores(5);
      float[] masses = masses(6);
      KeySelection selection =
          new ClusterSelection(rule, layout, fixed).select(scores, masses, GROUPS);
      for (int group = 0; group < GROUPS; group++) {
        List<Integer> order = ranked(scores, group, fixed);
        TreeSet<Integer> expected =
            new TreeSet<>(order.subList(0, wanted(rule, order, masses, group)));
        for (int j = 0; j < CLUSTERS; j++) {
          if (fixed[j] && layout.size(j) > 0) {
            expected.add(j);
          }
        }
        assertThat(row(selection, group))
            .containsExactly(expected.stream().mapToInt(Integer::intValue).toArray());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rules")
  void neverTakesAnEmptyClusterAndAlwaysAtLeastOneOther(SelectionRule rule) {
    KeySelection selection =
        new ClusterSelection(rule, layout, none).select(scores(7), masses(8), GROUPS);
    for (int group = 0; group < GROUPS; group++) {
      assertThat(row(selection, group)).isNotEmpty().isSorted().doesNotHaveDuplicates();
      assertThat(Arrays.stream(row(selection, group)).allMatch(j -> layout.size(j) > 0)).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("rules")
  void groupsThatDoNotChooseAttendToEverything(SelectionRule rule) {
    KeySelection selection =
        new ClusterSelection(rule, layout, none).select(scores(7), masses(8), GROUPS - 2);
    int[] everything = IntStream.range(0, CLUSTERS).filter(j -> layout.size(j) > 0).toArray();
    assertThat(row(selection, GROUPS - 1)).isEqualTo(everything);
    assertThat(row(selection, GROUPS - 2)).isEqualTo(everything);
  }

  @Test
  void stopsAsSoonAsLittleErrorIsExpectedOfTheRest() {
    float[] errors = masses(5);
    SelectionRule rule = new SelectionRule.Budget(1);
    double target = 0.3 * left(errors, new int[0]);
    int[] chosen =
        row(new ClusterSelection(rule, layout, none, target).select(errors, errors, errors, 1), 0);
    assertThat(left(errors, chosen)).isLessThanOrEqualTo(target * (1 + 1e-6));
    int last = Arrays.stream(chosen).reduce((i, j) -> errors[i] < errors[j] ? i : j).getAsInt();
    int[] oneLess = Arrays.stream(chosen).filter(j -> j != last).toArray();
    assertThat(left(errors, oneLess)).isGreaterThan(target);
    KeySelection least =
        new ClusterSelection(rule, layout, none, 1e9).select(errors, errors, errors, 1);
    assertThat(row(least, 0)).hasSize(1);
  }

  /** Expected error of what the first group leaves out. */
  private double left(float[] errors, int[] chosen) {
    double left = 0;
    for (int j = 0; j < CLUSTERS; j++) {
      int cluster = j;
      if (Arrays.stream(chosen).noneMatch(c -> c == cluster)) {
        left += (double) errors[j] * layout.size(j);
      }
    }
    return left;
  }

  @Test
  void aBudgetIsMetAndWouldNotBeWithoutTheLastCluster() {
    float[] scores = scores(9);
    for (double share : new double[] {0.05, 0.2, 0.6}) {
      KeySelection selection =
          new ClusterSelection(new SelectionRule.Budget(share), layout, none)
              .select(scores, new float[0], GROUPS);
      long needed = Math.round(share * layout.tokens());
      for (int group = 0; group < GROUPS; group++) {
        List<Integer> order = ranked(scores, group, none);
        int taken = selection.end(group) - selection.start(group);
        int keys = selection.keys(group, layout);
        assertThat(keys).isGreaterThanOrEqualTo((int) needed);
        assertThat((long) keys - layout.size(order.get(taken - 1))).isLessThan(needed);
      }
    }
  }

  @Test
  void clustersThatEveryGroupGetsDoNotCountTowardsTheBudget() {
    boolean[] always = new boolean[CLUSTERS];
    int largest =
        IntStream.range(0, CLUSTERS)
            .filter(j -> layout.size(j) == layout.largest())
            .findFirst()
            .getAsInt();
    always[largest] = true;
    KeySelection selection =
        new ClusterSelection(new SelectionRule.Budget(0.1), layout, always)
            .select(scores(10), new float[0], GROUPS);
    for (int group = 0; group < GROUPS; group++) {
      assertThat(row(selection, group)).contains(largest);
      assertThat(selection.keys(group, layout) - layout.size(largest))
          .isGreaterThanOrEqualTo((int) Math.round(0.1 * layout.tokens()));
    }
  }

  @Test
  void aMassIsReachedByTheFewestClustersOfTheRanking() {
    float[] masses = masses(11);
    KeySelection selection =
        new ClusterSelection(new SelectionRule.Mass(0.7, 0), layout, none)
            .select(masses, masses, GROUPS);
    for (int group = 0; group < GROUPS; group++) {
      int start = group * CLUSTERS;
      double sum = 0;
      double least = 1;
      for (int j : row(selection, group)) {
        sum += masses[start + j];
        least = Math.min(least, masses[start + j]);
      }
      assertThat(sum).isGreaterThanOrEqualTo(0.7);
      assertThat(sum - least).isLessThan(0.7);
    }
  }

  @Test
  void aNanScoreComesFirst() {
    float[] scores = new float[CLUSTERS];
    Arrays.fill(scores, Float.POSITIVE_INFINITY);
    int hidden =
        IntStream.range(0, CLUSTERS)
            .filter(j -> layout.size(j) > 0)
            .skip(20)
            .findFirst()
            .getAsInt();
    for (int bits : new int[] {0x7fc00000, 0xffc00000, 0x7f800001}) { // any kind of NaN
      scores[hidden] = Float.intBitsToFloat(bits);
      KeySelection selection =
          new ClusterSelection(new SelectionRule.TopClusters(1), layout, none)
              .select(scores, new float[0], 1);
      assertThat(row(selection, 0)).containsExactly(hidden);
    }
  }

  @Test
  void aTieGoesToTheLowestCluster() {
    KeySelection selection =
        new ClusterSelection(new SelectionRule.TopClusters(3), layout, none)
            .select(new float[CLUSTERS], new float[0], 1);
    assertThat(row(selection, 0))
        .containsExactly(
            IntStream.range(0, CLUSTERS).filter(j -> layout.size(j) > 0).limit(3).toArray());
  }

  @Test
  void sizesOfTheFixtureAreMixed() {
    int[] sizes = PlainKMeans.sizes(layout.labels(), CLUSTERS);
    assertThat(sizes).contains(0);
    assertThat(Arrays.stream(sizes).max().getAsInt()).isGreaterThan(20);
  }
}
