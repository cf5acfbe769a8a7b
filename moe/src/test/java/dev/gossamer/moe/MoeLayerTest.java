package dev.gossamer.moe;

import static dev.gossamer.moe.Initialisation.Start.LEVEL;
import static dev.gossamer.moe.parallel.ParallelSettings.DEFAULT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MoeLayerTest {
  private static final int TOKENS = 9;
  private static final int HIDDEN = 12;
  private static final ExpertBody PLAIN = ExpertBody.PLAIN;

  static final MoeStructure VANILLA = new MoeStructure.Vanilla(HIDDEN, 4, 2, 16, PLAIN);
  static final MoeStructure FINE = new MoeStructure.FineGrained(HIDDEN, 6, 3, 5, PLAIN);
  static final MoeStructure BIG_MAC = new MoeStructure.BigMac(HIDDEN, 4, 6, 3, 10, PLAIN);
  static final MoeStructure GATED = new MoeStructure.BigMac(HIDDEN, 4, 6, 3, 10, ExpertBody.GATED);
  static final MoeStructure ONE_OF_ONE = new MoeStructure.FineGrained(HIDDEN, 1, 1, 5, PLAIN);

  static Stream<Arguments> layers() {
    return Stream.of(
        Arguments.of("vanilla", MoeSettings.of(VANILLA)),
        Arguments.of("fine-grained", MoeSettings.of(FINE)),
        Arguments.of("BigMac", MoeSettings.of(BIG_MAC)),
        Arguments.of("gated", MoeSettings.of(GATED).withActivation(ExpertActivation.SILU)),
        Arguments.of("gated, shared", MoeSettings.of(GATED).withShared(7)),
        Arguments.of(
            "shared with a gate", MoeSettings.of(FINE).withShared(new SharedSettings(7, true))),
        Arguments.of("biases", MoeSettings.of(BIG_MAC).withBiases(true, true)),
        Arguments.of("latent norm", MoeSettings.of(BIG_MAC).withLatentNorm(true)),
        Arguments.of("latent gate", MoeSettings.of(BIG_MAC).withGateReadingLatent(true)),
        Arguments.of(
            "shared", MoeSettings.of(BIG_MAC).withShared(8).withActivation(ExpertActivation.RELU2)),
        Arguments.of("chunks", MoeSettings.of(BIG_MAC).withParallel(DEFAULT.withChunks(4))),
        Arguments.of(
            "sigmoid",
            MoeSettings.of(BIG_MAC)
                .withRouter(
                    RouterSettings.DEFAULT
                        .withScores(RouterSettings.Scores.SIGMOID, true, 2.5)
                        .withZLoss(0.01))),
        Arguments.of(
            "raw softmax",
            MoeSettings.of(FINE)
                .withRouter(
                    RouterSettings.DEFAULT
                        .withScores(RouterSettings.Scores.SOFTMAX, false, 1)
                        .withZLoss(0.01)
                        .withBalance(0.1))),
        Arguments.of(
            "capacity",
            MoeSettings.of(BIG_MAC)
                .withRouter(
                    RouterSettings.PAPER.withCapacity(0.7, RouterSettings.Drop.LOWEST_WEIGHT))),
        Arguments.of("one expert", MoeSettings.of(ONE_OF_ONE)));
  }

  private static Tensor tokens(int count, long seed) {
    try (Generator generator = Generator.seeded(seed)) {
      return generator.normal(count, HIDDEN).to(DType.FLOAT64);
    }
  }

  private static MoeLayer layer(MoeSettings settings, Threads threads) {
    return new MoeLayer(settings, "moe", 7, DType.FLOAT64, LocalRanks.alone(), threads);
  }

  private static double[][] rows(Tensor tensor) {
    double[] all = tensor.toDoubles();
    int width = (int) tensor.size(1);
    double[][] rows = new double[(int) tensor.size(0)][];
    Arrays.setAll(rows, i -> Arrays.copyOfRange(all, i * width, (i + 1) * width));
    return rows;
  }

  @ParameterizedTest
  @MethodSource("layers")
  void isTheLoopOverTokens(String name, MoeSettings settings) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        MoeLayer layer = layer(settings, threads)) {
      Tensor x = tokens(TOKENS, 1);
      MoePass pass = layer.forward(x);
      double[][] expected =
          new PlainMoe(settings, layer.parameters())
              .forward(rows(x), pass.choice().routing(), rows(pass.choice().weights()));
      double[][] y = rows(pass.output());
      for (int t = 0; t < TOKENS; t++) {
        for (int i = 0; i < HIDDEN; i++) {
          assertThat(y[t][i]).isCloseTo(expected[t][i], offset(1e-12));
        }
      }
    }
  }

  /** Every weight and every input, with the routing of the first pass held fast. */
  @ParameterizedTest
  @MethodSource("layers")
  void gradientsAreThoseOfFiniteDifferences(String name, MoeSettings settings) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer layer = layer(settings, threads)) {
      Tensor x = tokens(TOKENS, 2);
      Tensor direction = tokens(TOKENS, 3);
      MoePass pass = layer.forward(x);
      Optional<Routing> routing = Optional.of(pass.choice().chosen());
      Tensor dx = pass.backward(direction, 1);
      Difference difference =
          () -> {
            try (Scope inner = Scope.open()) {
              MoePass again = layer.forward(x, TokenBatch.of(TOKENS), routing);
              return again.output().mul(direction).sum().item()
                  + again.choice().auxiliaryLoss()
                  + again.choice().zLoss();
            }
          };
      difference.check("x", x, dx);
      for (Parameter parameter : layer.parameters()) {
        difference.check(parameter.name(), parameter.value(), parameter.gradient());
      }
    }
  }

  private interface Difference {
    double STEP = 1e-6;

    double loss();

    default void check(String name, Tensor value, Tensor gradient) {
      double[] expected = gradient.toDoubles();
      int every = Math.max(1, expected.length / 25);
      Tensor flat = value.reshape(value.count());
      for (int i = 0; i < expected.length; i += every) {
        Tensor one = flat.narrow(0, i, 1);
        one.addInPlace(STEP);
        double above = loss();
        one.addInPlace(-2 * STEP);
        double below = loss();
        one.addInPlace(STEP);
        double found = (above - below) / (2 * STEP);
        assertThat(expected[i])
            .as("%s[%d]", name, i)
            .isCloseTo(found, offset(1e-6 * (1 + Math.abs(found))));
      }
    }
  }

  @Test
  void bigMacWithoutNarrowingIsFineGrained() {
    MoeStructure fine = new MoeStructure.FineGrained(HIDDEN, 6, 3, 8, PLAIN);
    MoeStructure wide = new MoeStructure.BigMac(HIDDEN, HIDDEN, 6, 3, 8, PLAIN);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer a = layer(MoeSettings.of(fine), threads);
        MoeLayer b = layer(MoeSettings.of(wide), threads)) {
      double[] identity = new double[HIDDEN * HIDDEN];
      for (int i = 0; i < HIDDEN; i++) {
        identity[i * HIDDEN + i] = 1;
      }
      for (Parameter parameter : b.parameters()) {
        if (parameter.name().endsWith("cend")) {
          parameter.value().copyFrom(Tensor.of(identity, HIDDEN, HIDDEN));
        }
      }
      Tensor x = tokens(TOKENS, 4);
      MoePass ofA = a.forward(x);
      MoePass ofB = b.forward(x);
      assertThat(ofB.output().toDoubles()).containsExactly(ofA.output().toDoubles());
      Tensor dy = tokens(TOKENS, 5);
      assertThat(ofB.backward(dy, 1).toDoubles()).containsExactly(ofA.backward(dy, 1).toDoubles());
    }
  }

  /** All experts chosen: the weighted sum over every one of them. */
  @Test
  void choosingAllExpertsIsTheDenseSum() {
    MoeStructure all = new MoeStructure.FineGrained(HIDDEN, 4, 4, 5, PLAIN);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer layer = layer(MoeSettings.of(all), threads)) {
      Tensor x = tokens(TOKENS, 6);
      MoePass pass = layer.forward(x);
      Tensor gate = weight(layer, "gate");
      Tensor w1 = weight(layer, "experts.*.w1");
      Tensor w2 = weight(layer, "experts.*.w2");
      Tensor p = x.matmul(gate.transpose(0, 1)).softmax(-1);
      Tensor expected = Tensor.zeros(DType.FLOAT64, TOKENS, HIDDEN);
      for (int expert = 0; expert < 4; expert++) {
        Tensor inner = x.matmul(w1.select(0, expert).transpose(0, 1)).gelu();
        Tensor given = inner.matmul(w2.select(0, expert).transpose(0, 1));
        expected.addInPlace(given.mul(p.narrow(1, expert, 1)));
      }
      assertThat(pass.output().toDoubles()).containsExactly(expected.toDoubles(), offset(1e-12));
    }
  }

  private static Tensor weight(MoeLayer layer, String name) {
    return layer.parameters().stream()
        .filter(parameter -> parameter.name().equals("moe." + name))
        .findFirst()
        .orElseThrow()
        .value();
  }

  /** Where nothing is negative, ReLU changes nothing: Wa (sum of p W2 W1) Wd x. */
  @Test
  void withoutTheActivationBigMacIsAProductOfMatrices() {
    MoeSettings settings = MoeSettings.of(BIG_MAC).withActivation(ExpertActivation.RELU);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer layer = layer(settings, threads)) {
      layer.parameters().forEach(p -> p.value().copyFrom(p.value().abs()));
      Tensor x = tokens(TOKENS, 8).abs();
      MoePass pass = layer.forward(x);
      int topK = BIG_MAC.topK();
      for (int token = 0; token < TOKENS; token++) {
        Tensor between = null;
        for (int k = 0; k < topK; k++) {
          int expert = pass.choice().routing().expert()[token * topK + k];
          Tensor product =
              weight(layer, "experts.*.w2")
                  .select(0, expert)
                  .matmul(weight(layer, "experts.*.w1").select(0, expert))
                  .mul(pass.choice().weights().narrow(0, token, 1).narrow(1, k, 1));
          between = between == null ? product : between.add(product);
        }
        Tensor whole = weight(layer, "ascend").matmul(between).matmul(weight(layer, "descend"));
        double[] expected = whole.matmul(x.narrow(0, token, 1).transpose(0, 1)).toDoubles();
        assertThat(pass.output().narrow(0, token, 1).toDoubles())
            .containsExactly(
                expected, offset(1e-12 * (1 + Arrays.stream(expected).max().orElse(0))));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void fewTokensAreNoTrouble(int count) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer layer =
            layer(
                MoeSettings.of(BIG_MAC).withShared(4).withParallel(DEFAULT.withChunks(2)),
                threads)) {
      MoePass pass = layer.forward(tokens(count, 1));
      assertThat(pass.output().shape()).containsExactly(count, HIDDEN);
      assertThat(pass.backward(tokens(count, 2), 1).shape()).containsExactly(count, HIDDEN);
      layer.parameters().forEach(p -> assertThat(p.gradient().isFinite().all().isTrue()).isTrue());
    }
  }

  @Test
  void aTokenWithoutNumbersIsNamed() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer layer = layer(MoeSettings.of(BIG_MAC), threads)) {
      Tensor x = tokens(TOKENS, 1);
      x.narrow(0, 5, 1).fill(Double.NaN);
      assertThatThrownBy(() -> layer.forward(x))
          .isInstanceOf(GossamerException.class)
          .hasMessageContaining("token 5");
    }
  }

  @Test
  void paddingVisitsNobodyAndCountsNowhere() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        MoeLayer layer = layer(MoeSettings.of(BIG_MAC), threads)) {
      Tensor x = tokens(6, 1);
      boolean[] padding = {false, false, false, false, true, true};
      MoePass padded = layer.forward(x, new TokenBatch(6, 1, padding, 0), Optional.empty());
      MoePass alone = layer.forward(x.narrow(0, 0, 4));
      assertThat(padded.output().narrow(0, 0, 4).toDoubles())
          .containsExactly(alone.output().toDoubles());
      assertThat(padded.output().narrow(0, 4, 2).toDoubles()).containsOnly(0);
      assertThat(padded.choice().auxiliaryLoss())
          .isCloseTo(alone.choice().auxiliaryLoss(), offset(1e-15));
    }
  }

  @Test
  void contradictionsAreRefused() {
    assertThatThrownBy(() -> MoeSettings.of(FINE).withLatentNorm(true))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> MoeSettings.of(GATED).withBiases(true, false))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> DEFAULT.withChunks(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> DEFAULT.withWire(DType.INT64)).isInstanceOf(UsageException.class);
  }

  @Test
  void freesItsMemory() {
    long before = Tensor.live();
    try (Threads threads = new Threads(2)) {
      for (int i = 0; i < 3; i++) {
        try (Scope scope = Scope.open();
            MoeLayer layer =
                layer(MoeSettings.of(GATED).withShared(new SharedSettings(4, true)), threads)) {
          layer.forward(tokens(TOKENS, i)).backward(tokens(TOKENS, i), 1);
        }
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void aLevelStartDrawsTheAscentAsLargeAsAnExpertsLastMatrixElsewhere() {
    MoeSettings base = MoeSettings.of(BIG_MAC);
    try (Threads threads = new Threads(1);
        MoeLayer quiet = layer(base.withInitialisation(Initialisation.fanIn(8)), threads);
        MoeLayer level = layer(base.withInitialisation(new Initialisation(LEVEL, 8)), threads)) {
      double[] scaled =
          Arrays.stream(weight(quiet, "ascend").toDoubles()).map(w -> 4 * w).toArray();
      assertThat(weight(level, "ascend").toDoubles()).containsExactly(scaled, offset(1e-12));
      assertThat(weight(level, "experts.*.w2").toDoubles())
          .containsExactly(weight(quiet, "experts.*.w2").toDoubles());
    }
  }
}
