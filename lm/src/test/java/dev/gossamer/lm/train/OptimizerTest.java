package dev.gossamer.lm.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptimizerTest {
  private static OptimizerSettings with(Schedule schedule) {
    return new OptimizerSettings(1, 0.1, schedule, 10, 0.25, 0.9, 0.99, 1e-8, 0.5, 1, 0);
  }

  @Test
  void expertsAreSquaredAtOnceAsOneByOne() {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(9)) {
      Tensor stack = generator.normal(5, 7, 3);
      double[] atOnce = GradientNorm.squares(stack).toDoubles();
      assertThat(atOnce).hasSize(5);
      for (int expert = 0; expert < 5; expert++) {
        double one = GradientNorm.square(stack.select(0, expert)).item();
        assertThat(atOnce[expert]).isCloseTo(one, offset(1e-5 * one));
      }
    }
  }

  @Test
  void movesWeightsAsTheFormulaSays() {
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached();
        Threads threads = new Threads(2)) {
      Parameter matrix = Parameter.of("w", Tensor.of(new double[] {1, -2}, 1, 2), false, 0, owner);
      Parameter norm = Parameter.of("norm", Tensor.of(new double[] {3}, 1), false, 0, owner);
      double[] w = {1, -2, 3};
      double[] m = new double[3];
      double[] v = new double[3];
      try (AdamW optimizer = new AdamW(with(Schedule.CONSTANT), List.of(matrix, norm))) {
        for (int step = 1; step <= 3; step++) {
          double[] g = {0.5 * step, -0.25, 2.0 / step};
          matrix.gradient().copyFrom(Tensor.of(new double[] {g[0], g[1]}, 1, 2));
          norm.gradient().copyFrom(Tensor.of(new double[] {g[2]}, 1));
          optimizer.move(0.01, step, 0.5, threads);
          for (int i = 0; i < 3; i++) {
            double scaled = 0.5 * g[i];
            m[i] = 0.9 * m[i] + 0.1 * scaled;
            v[i] = 0.99 * v[i] + 0.01 * scaled * scaled;
            w[i] *= i < 2 ? 1 - 0.01 * 0.5 : 1;
            double mean = m[i] / (1 - Math.pow(0.9, step));
            double square = v[i] / (1 - Math.pow(0.99, step));
            w[i] -= 0.01 * mean / (Math.sqrt(square) + 1e-8);
          }
          assertThat(matrix.value().toDoubles())
              .containsExactly(new double[] {w[0], w[1]}, offset(1e-14));
          assertThat(norm.value().toDoubles()).containsExactly(new double[] {w[2]}, offset(1e-14));
        }
      }
    }
  }

  @Test
  void decayIsForMatricesAlone() {
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached()) {
      assertThat(decays("layers.0.moe.experts.*.w1", owner, 4, 3, 2)).isTrue();
      assertThat(decays("layers.0.moe.experts.*.b1", owner, 4, 3)).isFalse();
      assertThat(decays("layers.0.moe.shared.w1", owner, 1, 3, 2)).isTrue();
      assertThat(decays("layers.0.moe.gate", owner, 4, 3)).isTrue();
      assertThat(decays("embedding", owner, 4, 3)).isTrue();
      assertThat(decays("layers.0.attention.q_bias", owner, 4)).isFalse();
      assertThat(decays("final_norm", owner, 4)).isFalse();
    }
  }

  private static boolean decays(String name, Scope owner, long... shape) {
    return AdamW.decays(Parameter.of(name, Tensor.zeros(DType.FLOAT32, shape), false, 0, owner));
  }

  @Test
  void ratesGoAsTheirSchedule() {
    for (Schedule schedule : Schedule.values()) {
      assertThat(with(schedule).rate(0, 110)).isCloseTo(0.1, offset(1e-12));
      assertThat(with(schedule).rate(9, 110)).isCloseTo(1, offset(1e-12));
      assertThat(with(schedule).rate(10, 110)).isCloseTo(1, offset(1e-12));
    }
    assertThat(with(Schedule.COSINE).rate(60, 110)).isCloseTo(0.55, offset(1e-12));
    assertThat(with(Schedule.COSINE).rate(110, 110)).isCloseTo(0.1, offset(1e-12));
    assertThat(with(Schedule.LINEAR).rate(35, 110)).isCloseTo(1 - 0.9 * 0.25, offset(1e-12));
    assertThat(with(Schedule.WSD).rate(80, 110)).isCloseTo(1, offset(1e-12));
    assertThat(with(Schedule.WSD).rate(99, 110)).isCloseTo(0.1 + 0.9 * 0.4, offset(1e-12));
    assertThat(with(Schedule.CONSTANT).rate(100, 110)).isCloseTo(1, offset(1e-12));
  }

  @Test
  void settingsSurviveBeingWritten() {
    for (String replaced :
        List.of(
            "{}",
            "{\"dtype\": \"bf16\", \"parallel\": {\"wire\": \"bf16\", \"chunks\": 2}}",
            "{\"deterministic\": \"elastic\", \"model\": {\"initialisation\": \"paper\"}}",
            "{\"model\": {\"structure\": \"dense\", \"experts\": null, \"router\": null}}",
            "{\"model\": {\"experts\": {\"latent\": null, \"ratio\": 0.5, \"match\": \"params\","
                + " \"inner\": 16}}}")) {
      TrainSettings settings = TinyRuns.settings(replaced);
      ObjectNode written = new ObjectMapper().valueToTree(settings.document());
      assertThat(TrainSettings.read(SettingsFile.of("written", written))).isEqualTo(settings);
    }
  }

  @Test
  void mistakesInSettingsAreNamed() {
    assertThatThrownBy(() -> TinyRuns.settings("{\"stepz\": 3}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("'stepz'");
    assertThatThrownBy(() -> TinyRuns.settings("{\"model\": {\"experts\": {\"topk\": 3}}}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("'topk'")
        .hasMessageContaining("experts");
    assertThatThrownBy(() -> TinyRuns.settings("{\"optimizer\": {\"learningRate\": -1}}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("learning rate of -1");
    assertThatThrownBy(() -> TinyRuns.settings("{\"model\": {\"structure\": \"big\"}}"))
        .hasMessageContaining("dense, vanilla, fine-grained, bigmac");
    assertThatThrownBy(() -> TinyRuns.settings("{\"sequence\": 25}"))
        .hasMessageContaining("sequences of 25 tokens");
    assertThatThrownBy(() -> new OptimizerSettings(1, 2, Schedule.COSINE, 1, 1, 0, 0, 1, 0, 0, 0))
        .isInstanceOf(UsageException.class);
  }

  @Test
  void balanceIsThatOfHandMadeCounts() {
    LoadBalance balance =
        LoadBalance.of(List.of(new long[] {10, 10, 10, 10}, new long[] {40, 0, 0, 0}));
    assertThat(balance.mean()).isCloseTo(1.5, offset(1e-12));
    assertThat(balance.worst()).isCloseTo(3, offset(1e-12));
    assertThat(balance.dead()).isCloseTo(3.0 / 8, offset(1e-12));
    assertThat(balance.entropy()).isCloseTo(0.5, offset(1e-12));
    assertThat(LoadBalance.of(List.of())).isEqualTo(LoadBalance.NONE);
  }
}
