package dev.gossamer.moe.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.router.RouterSettings.Drop;
import dev.gossamer.moe.router.RouterSettings.Groups;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RouterTest {
  private static final RouterSettings PLAIN = RouterSettings.DEFAULT.withBalance(0);
  private static final RouterSettings SIGMOID = PLAIN.withScores(Scores.SIGMOID, true, 2.5);

  private static Choice route(RouterSettings settings, int topK, double[][] logits) {
    return route(new Router(settings, logits[0].length, topK), logits, 1);
  }

  private static Choice route(Router router, double[][] logits, int sequences) {
    double[] flat = Arrays.stream(logits).flatMapToDouble(Arrays::stream).toArray();
    return router.route(
        Tensor.of(flat, logits.length, logits[0].length),
        TokenBatch.of(logits.length, sequences),
        Optional.empty(),
        LocalRanks.alone());
  }

  @Test
  void takesTheHighestAndOfEqualOnesTheLower() {
    try (Scope scope = Scope.open()) {
      Choice choice = route(PLAIN, 2, new double[][] {{1, 3, 2, 3}, {0, 0, 0, 0}, {-1, -2, -1, 5}});
      assertThat(choice.routing().expert()).containsExactly(1, 3, 0, 1, 3, 0);
    }
  }

  @Test
  void weighsByTheSoftmaxOverTheChosen() {
    try (Scope scope = Scope.open()) {
      Choice choice = route(PLAIN, 2, new double[][] {{Math.log(3), 0, -50, -60}});
      assertThat(choice.weights().toDoubles())
          .containsExactly(new double[] {.75, .25}, offset(1e-12));
      Choice raw =
          route(PLAIN.withScores(Scores.SOFTMAX, false, 1), 1, new double[][] {{Math.log(3), 0}});
      assertThat(raw.weights().toDoubles()).containsExactly(new double[] {.75}, offset(1e-12));
    }
  }

  @Test
  void aBiasChangesTheChoiceAndNotTheWeight() {
    try (Scope scope = Scope.open()) {
      double[][] logits = {{2, 1, 0, -1}};
      Router router = new Router(SIGMOID, 4, 2);
      router.bias(new double[] {0, 0, 0, 5});
      Choice choice = route(router, logits, 1);
      assertThat(choice.routing().expert()).containsExactly(3, 0);
      double a = 1 / (1 + Math.exp(1));
      double b = 1 / (1 + Math.exp(-2));
      assertThat(choice.weights().toDoubles())
          .containsExactly(new double[] {2.5 * a / (a + b), 2.5 * b / (a + b)}, offset(1e-12));
    }
  }

  @Test
  void biasesMoveAgainstTheLoad() {
    Router router = new Router(SIGMOID, 4, 2);
    router.balanceBias(new long[] {10, 5, 5, 0}, 0.001);
    assertThat(router.bias()).containsExactly(-0.001, 0, 0, 0.001);
  }

  @Test
  void onlyTheBestGroupsAreVisited() {
    try (Scope scope = Scope.open()) {
      // Groups of 2: sums of the best one each are 9, 5, 8, 1; the best two groups are 0 and 2.
      double[][] logits = {{9, -9, 5, 4.9, 8, -9, 1, 0.9}};
      Choice choice = route(SIGMOID.withGroups(new Groups(4, 2, 1)), 3, logits);
      assertThat(choice.routing().expert()).containsExactly(0, 4, 1);
      Choice free = route(SIGMOID, 3, logits);
      assertThat(free.routing().expert()).containsExactly(0, 4, 2);
    }
  }

  /** By one the group of 2 is best, by two that of 1.8 and 1.7. */
  @Test
  void aGroupIsRatedByAsManyOfItsBestAsAsked() {
    try (Scope scope = Scope.open()) {
      double[][] logits = {{2, -9, -9, 1.9, 1.5, -9, 1.8, 1.7, -9}};
      RouterSettings byOne = SIGMOID.withGroups(new Groups(3, 1, 1));
      assertThat(route(byOne, 2, logits).routing().expert()).containsExactly(0, 1);
      RouterSettings byTwo = SIGMOID.withGroups(new Groups(3, 1, 2));
      assertThat(route(byTwo, 2, logits).routing().expert()).containsExactly(6, 7);
      RouterSettings softmax = PLAIN.withGroups(new Groups(3, 2, 1));
      assertThat(route(softmax, 3, logits).routing().expert()).containsExactly(0, 3, 4);
    }
  }

  @Test
  void capacityKeepsTheHeaviestOrTheEarliest() {
    try (Scope scope = Scope.open()) {
      double[][] logits = {{1, 0, -9}, {3, 0, -9}, {2, 0, -9}};
      RouterSettings half = PLAIN.withScores(Scores.SOFTMAX, false, 1);
      int[] heavy = route(half.withCapacity(2, Drop.LOWEST_WEIGHT), 1, logits).routing().expert();
      int[] early = route(half.withCapacity(2, Drop.LATEST), 1, logits).routing().expert();
      assertThat(heavy).containsExactly(Routing.DROPPED, 0, 0);
      assertThat(early).containsExactly(0, 0, Routing.DROPPED);
      assertThat(route(half, 1, logits).routing().dropRate()).isZero();
    }
  }

  /** F is 1/E everywhere and so is the mean probability, or all of both lies on k experts. */
  @Test
  void theAuxiliaryLossIsItsWeightAtBalanceAndLargestAtCollapse() {
    try (Scope scope = Scope.open()) {
      RouterSettings micro = PLAIN.withBalance(0.01).withScope(RouterSettings.Scope.MICRO);
      double[][] even = new double[4][4];
      for (int i = 0; i < 4; i++) {
        even[i][i] = 1;
        even[i][(i + 1) % 4] = 1;
      }
      assertThat(route(micro, 2, even).auxiliaryLoss()).isCloseTo(0.01, offset(1e-12));
      double[][] collapsed = new double[4][];
      Arrays.fill(collapsed, new double[] {50, 50, 0, 0});
      assertThat(route(micro, 2, collapsed).auxiliaryLoss()).isCloseTo(0.01 * 4 / 2, offset(1e-12));
    }
  }

  @ParameterizedTest
  @EnumSource(Scores.class)
  void choosesAlikeByLibtorchsSort(Scores scores) {
    Router router = new Router(PLAIN.withScores(scores, true, 1), 6, 3);
    router.bias(new double[] {0, 0.25, 0, 0, 0.25, 0});
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(3)) {
      Tensor many = generator.normal(500, 6);
      Tensor few = generator.normal(500, 6).mul(2).round().mul(0.25); // many are equal
      for (Tensor rated : List.of(many, few)) {
        assertThat(router.chosenThere(rated)).isEqualTo(router.chosenHere(rated, false));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(RouterSettings.Scope.class)
  void scopesAgreeOnOneSequenceOfOneRank(RouterSettings.Scope tokens) {
    try (Scope scope = Scope.open()) {
      double[][] logits = {{1, 2, 3, 0}, {0, 1, 0, 1}, {5, 0, 1, 2}};
      RouterSettings settings = PLAIN.withBalance(1);
      double micro =
          route(settings.withScope(RouterSettings.Scope.MICRO), 2, logits).auxiliaryLoss();
      assertThat(route(settings.withScope(tokens), 2, logits).auxiliaryLoss())
          .isCloseTo(micro, offset(1e-12));
    }
  }

  @Test
  void sequencesAreBalancedOneByOne() {
    try (Scope scope = Scope.open()) {
      // Each sequence uses its own two experts: balanced over both, collapsed in each.
      double[][] logits = {{9, 9, 0, 0}, {9, 9, 0, 0}, {0, 0, 9, 9}, {0, 0, 9, 9}};
      RouterSettings settings = PLAIN.withBalance(1);
      Router each = new Router(settings.withScope(RouterSettings.Scope.SEQUENCE), 4, 2);
      Router all = new Router(settings.withScope(RouterSettings.Scope.MICRO), 4, 2);
      assertThat(route(all, logits, 2).auxiliaryLoss()).isCloseTo(1, offset(1e-9));
      assertThat(route(each, logits, 2).auxiliaryLoss()).isCloseTo(2, offset(1e-3));
    }
  }

  /** Counted over two ranks that use different experts, the load is even. */
  @Test
  void theGlobalScopeCountsAllRanks() {
    LocalRanks.run(
        2,
        world -> {
          double[] logits =
              world.rank() == 0
                  ? new double[] {9, 9, 0, 0, 9, 9, 0, 0}
                  : new double[] {0, 0, 9, 9, 0, 0, 9, 9};
          Router router = new Router(PLAIN.withBalance(1), 4, 2);
          double loss =
              router
                  .route(Tensor.of(logits, 2, 4), TokenBatch.of(2), Optional.empty(), world)
                  .auxiliaryLoss();
          assertThat(loss).isCloseTo(1, offset(1e-9));
        });
  }

  @Test
  void theZLossIsTheMeanSquareOfTheLogSumExp() {
    try (Scope scope = Scope.open()) {
      double[][] logits = {{0, 0, 0, 0}, {1, 1, 1, 1}};
      double four = Math.log(4);
      double expected = 0.5 * (four * four + (four + 1) * (four + 1)) / 2;
      assertThat(route(PLAIN.withZLoss(0.5), 2, logits).zLoss()).isCloseTo(expected, offset(1e-12));
    }
  }

  /** Descending the auxiliary loss alone evens the load out. */
  @Test
  void theAuxiliaryGradientEvensTheLoad() {
    RouterSettings settings = PLAIN.withBalance(1).withScope(RouterSettings.Scope.MICRO);
    Router router = new Router(settings, 4, 2);
    double[][] logits = new double[40][4];
    for (int t = 0; t < 40; t++) {
      for (int e = 0; e < 4; e++) {
        logits[t][e] = Math.sin(7 * t + 3 * e) + (e == 0 ? 2 : 0);
      }
    }
    double before = worst(router, logits);
    for (int step = 0; step < 50; step++) {
      try (Scope scope = Scope.open()) {
        Choice choice = route(router, logits, 1);
        double[] gradient = choice.logitGradient(choice.weights().mul(0), 1).toDoubles();
        for (int t = 0; t < 40; t++) {
          for (int e = 0; e < 4; e++) {
            logits[t][e] -= 20 * gradient[t * 4 + e];
          }
        }
      }
    }
    assertThat(before).isGreaterThan(0.8);
    assertThat(worst(router, logits)).isLessThan(0.3);
  }

  /** The largest load over the mean, less one. */
  private static double worst(Router router, double[][] logits) {
    try (Scope scope = Scope.open()) {
      int[] counts = route(router, logits, 1).routing().counts();
      return Arrays.stream(counts).max().orElseThrow() / 20.0 - 1;
    }
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThatThrownBy(() -> new Router(PLAIN, 4, 1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("always 1");
    assertThatThrownBy(() -> new Router(PLAIN.withGroups(new Groups(3, 1, 1)), 4, 2))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Router(PLAIN.withGroups(new Groups(4, 1, 1)), 4, 2))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Router(PLAIN.withGroups(new Groups(2, 1, 3)), 4, 2))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("best 3");
    assertThatThrownBy(() -> new Groups(2, 3, 1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> PLAIN.withCapacity(0, Drop.LATEST)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Routing(2, 2, 4, new int[3]))
        .isInstanceOf(BadInputException.class);
    assertThatThrownBy(() -> new Routing(1, 1, 4, new int[] {4}))
        .isInstanceOf(BadInputException.class);
  }
}
