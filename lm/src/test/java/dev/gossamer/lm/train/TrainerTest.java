package dev.gossamer.lm.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.data.Texts;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.parallel.ExpertPlacement;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainerTest {
  @TempDir private static Path folder;
  private static TokenFile text;

  @BeforeAll
  static void tokenize() {
    text = TokenFile.open(Texts.tokens(folder, 257).resolve("train.bin"));
  }

  /** What a run came to: its losses and norms, and every weight by name, experts one by one. */
  private record Outcome(List<Double> losses, List<Double> norms, Map<String, double[]> weights) {}

  private static Outcome run(TrainSettings settings, int ranks, int steps) {
    List<Double> losses = new ArrayList<>();
    List<Double> norms = new ArrayList<>();
    Map<String, double[]> weights = new ConcurrentSkipListMap<>();
    LocalRanks.run(
        ranks,
        world -> {
          try (Threads threads = new Threads(1);
              Trainer trainer = new Trainer(settings, text, world, ranks, Device.CPU, threads)) {
            for (int i = 0; i < steps; i++) {
              StepReport report = trainer.next();
              if (world.rank() == 0) {
                losses.add(report.loss());
                norms.add(report.gradientNorm());
              }
            }
            note(trainer, weights);
          }
        });
    return new Outcome(losses, norms, weights);
  }

  private static void note(Trainer trainer, Map<String, double[]> weights) {
    int rank = trainer.groups().block().rank();
    int ranks = trainer.groups().block().size();
    for (Parameter parameter : trainer.masters()) {
      try (Scope scope = Scope.open()) {
        if (!parameter.ofExperts()) {
          putSame(weights, parameter.name(), parameter.value().toDoubles());
          continue;
        }
        int first = ExpertPlacement.even(8, ranks).first(rank);
        for (int i = 0; i < parameter.value().size(0); i++) {
          Tensor expert = parameter.value().select(0, i).contiguous();
          putSame(weights, parameter.name().replace("*", "" + (first + i)), expert.toDoubles());
        }
      }
    }
  }

  private static void putSame(Map<String, double[]> weights, String name, double[] value) {
    double[] other = weights.putIfAbsent(name, value);
    if (other != null) {
      assertThat(other).as(name + " on another rank").isEqualTo(value);
    }
  }

  /** Data-parallel, expert-parallel, both; with and without accumulation. */
  @ParameterizedTest
  @CsvSource({"2, 1", "2, 2", "4, 1", "4, 2", "4, 4"})
  void moreRanksFollowTheCurveOfOne(int ranks, int expertRanks) {
    TrainSettings alone = TinyRuns.settings();
    TrainSettings shared = TinyRuns.settings("{\"parallel\": {\"experts\": " + expertRanks + "}}");
    Outcome one = run(alone, 1, 20);
    Outcome many = run(shared, ranks, 20);
    for (int i = 0; i < 20; i++) {
      assertThat(many.losses().get(i)).isCloseTo(one.losses().get(i), offset(1e-8));
      assertThat(many.norms().get(i)).isCloseTo(one.norms().get(i), offset(1e-8));
    }
    assertThat(many.weights().keySet()).isEqualTo(one.weights().keySet());
    many.weights()
        .forEach(
            (name, value) ->
                assertThat(value).as(name).containsExactly(one.weights().get(name), offset(1e-7)));
    assertThat(one.losses().get(19)).isLessThan(one.losses().get(0) - 1);
  }

  @Test
  void accumulationIsTheLargerBatch() {
    Outcome whole = run(TinyRuns.settings("{\"microBatch\": 8}"), 1, 10);
    Outcome parts = run(TinyRuns.settings("{\"microBatch\": 1}"), 1, 10);
    for (int i = 0; i < 10; i++) {
      assertThat(parts.losses().get(i)).isCloseTo(whole.losses().get(i), offset(1e-9));
    }
  }

  /** The sigmoid router's biases move by counts of all ranks. */
  @Test
  void biasesOfRoutersAreBalancedOverAllRanks() {
    String sigmoid =
        "{\"model\": {\"router\": {\"scores\": \"sigmoid\", \"balance\": 0}},"
            + "\"optimizer\": {\"biasRate\": 0.01}}";
    Outcome one = run(TinyRuns.settings(sigmoid), 1, 12);
    Outcome four = run(TinyRuns.settings(sigmoid, "{\"parallel\": {\"experts\": 2}}"), 4, 12);
    for (int i = 0; i < 12; i++) {
      assertThat(four.losses().get(i)).isCloseTo(one.losses().get(i), offset(1e-8));
    }
  }

  @Test
  void elasticRunsAreTheSameBitsOnAnyNumberOfRanks() {
    String elastic = "{\"dtype\": \"fp32\", \"deterministic\": \"elastic\"}";
    Outcome one = run(TinyRuns.settings(elastic), 1, 8);
    for (String layout : List.of("2,2", "4,4", "4,2", "2,1")) {
      int ranks = layout.charAt(0) - '0';
      String experts = "{\"parallel\": {\"experts\": " + layout.charAt(2) + "}}";
      Outcome many = run(TinyRuns.settings(elastic, experts), ranks, 8);
      assertThat(many.losses()).as(layout).isEqualTo(one.losses());
      assertThat(many.norms()).as(layout).isEqualTo(one.norms());
      many.weights()
          .forEach((name, value) -> assertThat(value).as(name).isEqualTo(one.weights().get(name)));
    }
  }

  @Test
  void twoRunsAreTheSameBits() {
    TrainSettings settings = TinyRuns.settings("{\"dtype\": \"fp32\"}");
    Outcome first = run(settings, 2, 6);
    Outcome second = run(settings, 2, 6);
    assertThat(second.losses()).isEqualTo(first.losses());
    second
        .weights()
        .forEach((name, value) -> assertThat(value).isEqualTo(first.weights().get(name)));
  }

  @Test
  void bf16FollowsFloat32() {
    Outcome exact = run(TinyRuns.settings("{\"dtype\": \"fp32\"}"), 1, 20);
    Outcome bf16 = run(TinyRuns.settings("{\"dtype\": \"bf16\"}"), 2, 20);
    assertThat(bf16.losses().get(19)).isCloseTo(exact.losses().get(19), offset(0.08));
    assertThat(bf16.losses().get(19)).isLessThan(bf16.losses().get(0) - 1);
  }

  /** The same four windows again and again, until they are known by heart. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"model\": {\"structure\": \"vanilla\","
            + " \"experts\": {\"count\": 4, \"inner\": 64, \"topK\": 2, \"latent\": null}}}",
        "{\"model\": {\"structure\": \"fine-grained\","
            + " \"experts\": {\"inner\": 16, \"topK\": 4, \"latent\": null}}}",
        "{\"model\": {\"experts\": {\"inner\": 64, \"topK\": 4, \"latent\": 8}}}",
        "{\"model\": {\"structure\": \"dense\", \"experts\": null, \"router\": null}}"
      })
  @Tag("slow")
  void everyStructureLearnsOneBatchByHeart(String structure) {
    TrainSettings settings =
        TinyRuns.settings(
            "{\"dtype\": \"fp32\", \"batch\": 4, \"microBatch\": 4, \"steps\": 300,"
                + " \"model\": {\"hidden\": 32, \"heads\": 2},"
                + " \"optimizer\": {\"learningRate\": 0.01, \"weightDecay\": 0, \"warmup\": 20}}",
            structure);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1)) {
      TokenFile four = TokenFile.open(shortText());
      try (Trainer trainer =
          new Trainer(settings, four, LocalRanks.alone(), 1, Device.CPU, threads)) {
        StepReport last = null;
        for (int i = 0; i < 300; i++) {
          last = trainer.next();
        }
        assertThat(last.loss()).isLessThan(0.1);
      }
    }
  }

  /** Four windows of 24 tokens and the one behind them. */
  private static Path shortText() {
    return ShortText.write(folder, text, 4 * 24 + 1);
  }

  @Test
  void workThatCannotBeSharedEvenlyIsRefused() {
    assertThatThrownBy(() -> run(TinyRuns.settings(), 3, 1))
        .hasMessageContaining("4 micro-batches a step on 3 ranks");
    assertThatThrownBy(() -> TinyRuns.settings("{\"microBatch\": 3}"))
        .hasMessageContaining("micro-batches of 3");
    assertThatThrownBy(() -> run(TinyRuns.settings("{\"parallel\": {\"experts\": 3}}"), 4, 1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("blocks of 3");
  }

  @Test
  void tellsOfEachStep() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        Trainer trainer =
            new Trainer(TinyRuns.settings(), text, LocalRanks.alone(), 1, Device.CPU, threads)) {
      StepReport first = trainer.next();
      assertThat(first.step()).isEqualTo(1);
      assertThat(first.tokens()).isEqualTo(8 * 24);
      assertThat(first.loss()).isCloseTo(Math.log(257), offset(0.2));
      assertThat(first.learningRate()).isCloseTo(0.002, offset(1e-12));
      assertThat(first.balance().worst()).isGreaterThanOrEqualTo(first.balance().mean());
      assertThat(first.exchangeShare()).isZero();
      assertThat(trainer.next().step()).isEqualTo(2);
    }
  }

  @Test
  void freesItsMemory() {
    run(TinyRuns.settings(), 1, 1);
    long before = Tensor.live();
    run(TinyRuns.settings("{\"dtype\": \"bf16\"}"), 2, 2);
    assertThat(Tensor.live()).isEqualTo(before);
  }
}
