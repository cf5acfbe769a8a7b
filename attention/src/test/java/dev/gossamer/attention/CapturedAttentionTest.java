package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.adacluster.AdaCluster;
import dev.gossamer.attention.adacluster.AdaClusterSettings;
import dev.gossamer.attention.adacluster.AdaClusterSettings.KeyCounts;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Tail;
import dev.gossamer.attention.adacluster.SelectionRule;
import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.attention.rivals.Rivals;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * On queries, keys and values of a real transformer ({@code goldens/mini-qkv}): two heads, one
 * concentrated, one diffuse, 4,096 tokens.
 */
@Tag("slow")
class CapturedAttentionTest {
  private static final String CONCENTRATED = "t16h16w16.layer1.step3.head0";
  private static final String DIFFUSE = "t16h16w16.layer4.step10.head2";
  private static final TokenGrid GRID = TokenGrid.video(16, 16, 16);
  private static final Golden CAPTURED = Golden.open("/goldens/mini-qkv/qkv.safetensors");

  private static final Scope OWNER = Scope.detached();
  private static Tensor q;
  private static Tensor k;
  private static Tensor v;
  private static Tensor dense;

  /**
   * @param recall share of attention mass in the selection, as the report estimates it
   * @param error relative error of the output of each head, the concentrated one first
   */
  private record Outcome(double density, double recall, double[] error) {}

  @BeforeAll
  static void readAndAttendInFull() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1)) {
      q = OWNER.adopt(both("q"));
      k = OWNER.adopt(both("k"));
      v = OWNER.adopt(both("v"));
      AttentionPlan plan = new AttentionPlan(1, 1, 1, GRID, 0, Set.of(), 0);
      dense =
          OWNER.adopt(new DenseAttention().open(plan, threads).attention(0, 0).attend(q, k, v, 0));
    }
  }

  @AfterAll
  static void free() {
    OWNER.close();
  }

  private static Tensor both(String what) {
    List<Tensor> heads = new ArrayList<>();
    for (String head : new String[] {CONCENTRATED, DIFFUSE}) {
      heads.add(CAPTURED.tensor(head + "." + what));
    }
    return Tensor.stack(0, heads).unsqueeze(0).to(DType.FLOAT32);
  }

  /** The first sparse step of a method on both heads. */
  private static Outcome outcome(AdaClusterSettings settings) {
    AttentionPlan plan = new AttentionPlan(1, 1, 2, GRID, 0, Set.of(), AttentionPlan.FEW_ROWS);
    AdaClusterSettings sparse = settings.withDenseLayers(List.of());
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new AdaCluster(sparse).open(plan, threads)) {
      Attention attention = session.attention(0, 0);
      if (settings.keyCounts() == KeyCounts.ADAPTIVE) {
        attention.attend(q, k, v, 0); // calibrates
      }
      Tensor output = attention.attend(q, k, v, 1);
      List<AttentionReport.Call> calls = session.report().calls();
      AttentionReport.Call call = calls.get(calls.size() - 1);
      assertThat(call.dense()).isEmpty();
      double[] errors = new double[2];
      for (int head = 0; head < 2; head++) {
        errors[head] = Golden.relativeError(output.select(1, head), dense.select(1, head));
      }
      return new Outcome(call.density(), call.recall(), errors);
    }
  }

  private static AdaClusterSettings budget(AdaClusterSettings settings, double share) {
    return settings.withRule(new SelectionRule.Budget(share)).withErrorTarget(0);
  }

  static Stream<AdaClusterSettings> methods() {
    return Stream.of(
        AdaClusterSettings.PAPER,
        AdaClusterSettings.CLUSTER,
        AdaClusterSettings.DEFAULT,
        Rivals.SVG2,
        Rivals.SPARGE);
  }

  @Test
  void recallGrowsAndErrorFallsWithDensity() {
    methods()
        .forEach(
            settings -> {
              Outcome before = new Outcome(0, 0, new double[] {9, 9});
              for (double share : new double[] {0.05, 0.2, 0.6}) {
                Outcome now = outcome(budget(settings, share));
                assertThat(now.density()).isGreaterThan(before.density());
                assertThat(now.recall()).isGreaterThan(before.recall());
                for (int head = 0; head < 2; head++) {
                  assertThat(now.error()[head]).isLessThan(before.error()[head]);
                }
                before = now;
              }
            });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"expectedError", "queryMass", "tensorQuest", "centroidMass", "pseudoQuest"})
  void everyScorerFindsMoreMassThanChance(String scorer) {
    Outcome outcome = outcome(budget(AdaClusterSettings.DEFAULT.with("scorer", scorer), 0.2));
    assertThat(outcome.density()).isBetween(0.2, 0.22);
    assertThat(outcome.recall()).isGreaterThan(outcome.density() + 0.2);
  }

  /** The reason for the tail (1.9): the diffuse head, hopeless for any selection, becomes easy. */
  @Test
  void theTailTakesMostOfTheErrorOfTheDiffuseHead() {
    AdaClusterSettings settings = budget(AdaClusterSettings.DEFAULT, 0.1);
    Outcome with = outcome(settings);
    Outcome without = outcome(settings.withTail(Tail.OFF));
    assertThat(with.error()[1]).isLessThan(0.2 * without.error()[1]);
    assertThat(with.error()[0]).isLessThan(without.error()[0]);
  }

  /** A target makes heads unequal: the one whose points are exact anyway needs few keys. */
  @Test
  void anErrorTargetSavesKeysWhereTheyMatterLeast() {
    AdaClusterSettings all = AdaClusterSettings.DEFAULT.withErrorTarget(0);
    Outcome full = outcome(all);
    Outcome some = outcome(all.withErrorTarget(0.1));
    Outcome few = outcome(all.withErrorTarget(0.5));
    assertThat(some.density()).isLessThan(0.7 * full.density());
    assertThat(few.density()).isLessThan(some.density());
    for (int head = 0; head < 2; head++) {
      assertThat(some.error()[head]).isGreaterThan(full.error()[head]).isLessThan(0.08);
      assertThat(few.error()[head]).isGreaterThan(some.error()[head]);
    }
    assertThat(outcome(all.withTail(Tail.OFF).withErrorTarget(0.15)).density())
        .isEqualTo(outcome(all.withTail(Tail.OFF)).density());
  }

  /**
   * With at most .17 of the pairs against .25: by far on the diffuse head, and about as good as the
   * paper on the concentrated one, where every method is good.
   */
  @Test
  void theDefaultPresetIsAheadOfTheOthersAtAQuarter() {
    Outcome ours = outcome(AdaClusterSettings.DEFAULT);
    assertThat(ours.density()).isLessThan(0.17);
    methods()
        .filter(settings -> settings.tail() == Tail.OFF)
        .map(settings -> outcome(budget(settings, 0.25)))
        .forEach(theirs -> assertThat(ours.error()[1]).isLessThan(0.2 * theirs.error()[1]));
    assertThat(ours.error()[0])
        .isLessThan(1.1 * outcome(budget(AdaClusterSettings.PAPER, 0.25)).error()[0]);
  }

  /** Rounding of the products to bf16 must stay well below what the selection costs. */
  @Test
  void bf16AddsLittleToTheError() {
    Outcome exact = outcome(AdaClusterSettings.DEFAULT);
    Outcome coarse =
        outcome(AdaClusterSettings.DEFAULT.withProducts(AdaClusterSettings.Products.BFLOAT16));
    for (int head = 0; head < 2; head++) {
      assertThat(coarse.error()[head]).isLessThan(1.3 * exact.error()[head] + 2e-3);
    }
  }

  /** T12: seeds spread by rule serve no worse than random ones. */
  @Test
  void spreadSeedsAreAsGoodAsRandomOnes() {
    for (String head : new String[] {CONCENTRATED, DIFFUSE}) {
      try (Scope scope = Scope.open()) {
        Tensor keys = CAPTURED.tensor(head + ".k").to(DType.FLOAT32);
        KMeans kmeans = KMeans.of(keys, KMeans.Metric.EUCLIDEAN);
        double spread = error(kmeans, kmeans.seeds(256, 0));
        double random = 0;
        for (int seed = 0; seed < 4; seed++) {
          int[] picks = new Random(seed).ints(0, 4096).distinct().limit(256).toArray();
          random += error(kmeans, keys.indexSelect(0, Tensor.of(picks, 256))) / 4;
        }
        assertThat(spread).isLessThan(1.02 * random);
      }
    }
  }

  /** Mean squared distance of the tokens after five iterations. */
  private static double error(KMeans kmeans, Tensor seeds) {
    KMeans.Clustering clustering = kmeans.lloyd(seeds, 5);
    kmeans.assign(clustering.centroids());
    double sum = 0;
    for (float distance : kmeans.distances()) {
      sum += (double) distance * distance;
    }
    return sum;
  }

  /** The paper's counts per layer on real keys: found, and neither few nor at the cap. */
  @Test
  void thresholdsFindACountForRealKeys() {
    assertThat(AdaClusterSettings.PAPER.keyCounts()).isEqualTo(KeyCounts.ADAPTIVE);
    AttentionPlan plan = new AttentionPlan(1, 1, 2, GRID, 0, Set.of(), 0);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new AdaCluster(AdaClusterSettings.PAPER).open(plan, threads)) {
      session.attention(0, 0).attend(q, k, v, 0);
      session.attention(0, 0).attend(q, k, v, 1);
      assertThat(session.report().calls().get(1).keyClusters()).isBetween(100, 500);
    }
  }
}
