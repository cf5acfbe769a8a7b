package dev.gossamer.video.schedulers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class UniPcTest {
  @TempDir Path folder;

  /** The cases of golden unipc_flow, with the settings that its meta.json names. */
  static Stream<GoldenCase> cases() throws IOException {
    Path meta = Golden.path("/goldens/unipc_flow/meta.json");
    List<GoldenCase> cases = new ArrayList<>();
    for (JsonNode node : new ObjectMapper().readTree(meta.toFile()).path("cases")) {
      JsonNode extra = node.path("extra");
      List<Integer> disabled = new ArrayList<>();
      extra.path("disable_corrector").forEach(step -> disabled.add(step.asInt()));
      UniPc unipc =
          new UniPc(
              1000,
              node.path("flow_shift").asDouble(),
              UniPc.SigmaGrid.valueOf(upper(node.path("grid"), "new")),
              extra.path("solver_order").asInt(2),
              UniPc.Solver.valueOf(upper(extra.path("solver_type"), "bh2")),
              extra.path("lower_order_final").asBoolean(true),
              disabled,
              UniPc.FinalSigma.valueOf(upper(extra.path("final_sigmas_type"), "zero")));
      cases.add(new GoldenCase(node.path("key").asText(), node.path("steps").asInt(), unipc));
    }
    assertThat(cases).hasSize(39);
    return cases.stream();
  }

  private static String upper(JsonNode node, String whenMissing) {
    return node.asText(whenMissing).toUpperCase(Locale.ROOT);
  }

  record GoldenCase(String key, int steps, UniPc unipc) {}

  /**
   * Timesteps are exact; the reference calculates with float32 scalars, this class with float64.
   */
  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheGolden(GoldenCase golden) {
    Golden file = Golden.open("/goldens/unipc_flow/io.safetensors");
    Schedule schedule = golden.unipc().plan(golden.steps());
    try (Scope scope = Scope.open();
        Stepper stepper = schedule.stepper()) {
      assertThat(schedule.timesteps())
          .containsExactly(file.tensor(golden.key() + ".timesteps").toDoubles());
      Tensor sigmas = Tensor.of(schedule.sigmas(), golden.steps() + 1);
      assertThat(Golden.maxDifference(sigmas, file.tensor(golden.key() + ".sigmas")))
          .isLessThan(1e-7);
      Tensor trajectory = file.tensor(golden.key() + ".trajectory");
      Tensor outputs = file.tensor(golden.key() + ".model_outputs");
      Tensor x = trajectory.select(0, 0);
      int compared = 0;
      for (int i = 0; i < golden.steps(); i++) {
        x = stepper.step(i, outputs.select(0, i), x);
        assertThat(x.isFinite().all().isTrue()).isTrue();
        Tensor expected = trajectory.select(0, i + 1);
        if (expected.isFinite().all().isTrue()) {
          assertThat(Golden.relativeError(x, expected)).as("step %d", i).isLessThan(1e-5);
          compared++;
        }
      }
      // The reference's last step is NaN for bh1 and for higher orders to the very end.
      assertThat(compared).isGreaterThanOrEqualTo(golden.steps() - 1);
    }
  }

  @Test
  void laysOutTheSmallModelsGolden() {
    Golden golden = Golden.open("/goldens/mini/io.safetensors");
    Scheduler scheduler =
        Scheduler.read(
            ModelConfig.read(MiniModel.folder().resolve("scheduler/scheduler_config.json")));
    assertThat(scheduler).isEqualTo(UniPc.WAN);
    Schedule schedule = scheduler.plan(8);
    try (Scope scope = Scope.open()) {
      assertThat(schedule.timesteps()).containsExactly(golden.tensor("timesteps").toDoubles());
      Tensor sigmas = Tensor.of(schedule.sigmas(), 9);
      assertThat(Golden.maxDifference(sigmas, golden.tensor("sigmas"))).isLessThan(1e-7);
    }
  }

  /** A perfect model knows the noise-free video; every order must then arrive at it. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void arrivesWhereAPerfectModelPoints(int order) {
    UniPc unipc =
        new UniPc(
            1000,
            5,
            UniPc.SigmaGrid.NEW,
            order,
            UniPc.Solver.BH1,
            false,
            List.of(),
            UniPc.FinalSigma.ZERO);
    Schedule schedule = unipc.plan(7);
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(1);
        Stepper stepper = schedule.stepper()) {
      Tensor video = random.normal(64);
      Tensor x = random.normal(64);
      for (int i = 0; i < 7; i++) {
        x = stepper.step(i, x.sub(video).div(schedule.sigmas()[i]), x);
      }
      assertThat(Golden.relativeError(x, video)).isLessThan(1e-5);
    }
  }

  /** Interrupted after any step and continued from a file: the same bits to the end. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void continuesBitForBitFromASavedStep(int order) {
    UniPc unipc =
        new UniPc(
            1000,
            3,
            UniPc.SigmaGrid.NEW,
            order,
            UniPc.Solver.BH2,
            true,
            List.of(2),
            UniPc.FinalSigma.ZERO);
    Schedule schedule = unipc.plan(6);
    try (Scope scope = Scope.open()) {
      float[] undisturbed = run(schedule, -1);
      for (int stop = 0; stop <= 6; stop++) {
        assertThat(run(schedule, stop)).as("stopped at %d", stop).containsExactly(undisturbed);
      }
    }
  }

  private float[] run(Schedule schedule, int stop) {
    Stepper stepper = schedule.stepper();
    try (Generator random = Generator.seeded(3)) {
      Tensor x = random.normal(2, 40);
      for (int i = 0; i <= schedule.steps(); i++) {
        if (i == stop) {
          Map<String, Tensor> state = new HashMap<>(stepper.save());
          state.put("latents", x);
          Path file = folder.resolve("state.safetensors");
          SafetensorsWriter.write(file, state, Map.of());
          stepper.close();
          stepper = schedule.stepper();
          SafetensorsFile saved = SafetensorsFile.open(file);
          Map<String, Tensor> read = new HashMap<>();
          saved.entries().keySet().forEach(name -> read.put(name, saved.tensor(name)));
          stepper.restore(i, read);
          x = read.get("latents");
        }
        if (i < schedule.steps()) {
          x = stepper.step(i, x.mul(0.3).sin().add(schedule.sigmas()[i]), x);
        }
      }
      return x.toFloats();
    } finally {
      stepper.close();
    }
  }

  @Test
  void refusesASavedStateThatDoesNotFit() {
    try (Scope scope = Scope.open();
        Stepper stepper = UniPc.WAN.plan(5).stepper()) {
      Tensor x = Tensor.zeros(DType.FLOAT32, 4);
      Map<String, Tensor> state = new HashMap<>(Map.of("unipc.x0.0", x, "unipc.x0.1", x));
      assertThatThrownBy(() -> stepper.restore(2, state))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("unipc.last_sample' is missing");
      state.put("unipc.last_sample", Tensor.zeros(DType.FLOAT32, 5));
      assertThatThrownBy(() -> stepper.restore(2, state))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("does not fit");
      assertThatThrownBy(() -> stepper.restore(6, state)).isInstanceOf(BadInputException.class);
      stepper.step(0, x, x);
    }
  }

  @Test
  void takesStepsInOrderOnly() {
    try (Scope scope = Scope.open();
        Stepper stepper = UniPc.WAN.plan(2).stepper()) {
      Tensor x = Tensor.zeros(DType.FLOAT32, 4);
      assertThatThrownBy(() -> stepper.step(1, x, x)).isInstanceOf(IllegalStateException.class);
      stepper.step(0, x, x);
      assertThatThrownBy(() -> stepper.step(0, x, x)).isInstanceOf(IllegalStateException.class);
      stepper.step(1, x, x);
      assertThatThrownBy(() -> stepper.step(2, x, x)).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void neitherChangesNorKeepsItsArguments() {
    Schedule schedule = UniPc.WAN.plan(3);
    try (Scope scope = Scope.open();
        Stepper stepper = schedule.stepper();
        Stepper other = schedule.stepper()) {
      Tensor x = Tensor.full(2, DType.FLOAT32, 8);
      Tensor v = Tensor.full(0.5, DType.FLOAT32, 8);
      Tensor first = stepper.step(0, v, x);
      Tensor same = other.step(0, v, x);
      assertThat(x.toFloats()).containsOnly(2);
      assertThat(v.toFloats()).containsOnly(0.5f);
      Tensor kept = first.copy();
      x.fill(77);
      assertThat(stepper.step(1, v, kept).toFloats())
          .containsExactly(other.step(1, v, same).toFloats());
    }
  }

  @Test
  void worksInFloat32OnALowPrecisionModelsOutput() {
    Schedule schedule = UniPc.WAN.plan(3);
    try (Scope scope = Scope.open();
        Stepper stepper = schedule.stepper();
        Stepper other = schedule.stepper()) {
      Tensor x = Tensor.full(1.2345, DType.FLOAT32, 8);
      Tensor v = Tensor.full(0.333, DType.BFLOAT16, 8);
      assertThat(stepper.step(0, v, x).toFloats())
          .containsExactly(other.step(0, v.to(DType.FLOAT32), x).toFloats());
    }
  }

  @Test
  void leavesNoTensorBehind() {
    long before = Tensor.live();
    try (Stepper stepper = UniPc.WAN.plan(20).stepper()) {
      for (int i = 0; i < 20; i++) {
        try (Scope scope = Scope.open()) {
          Tensor x = Tensor.full(i, DType.FLOAT32, 8);
          stepper.step(i, x, x);
        }
        assertThat(Tensor.live()).isEqualTo(before + Math.min(i + 1, 2) + 1);
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void refusesStepCountsOutsideOfTheTraining() {
    for (int steps : new int[] {0, -1, 1001}) {
      assertThatThrownBy(() -> UniPc.WAN.plan(steps)).isInstanceOf(UsageException.class);
    }
    assertThat(UniPc.WAN.plan(1000).timesteps()).hasSize(1000);
  }

  @Test
  void namesEverySettingForReports() {
    assertThat(UniPc.WAN.settings().keySet())
        .containsExactlyElementsOf(
            Arrays.stream(UniPc.class.getRecordComponents()).map(c -> c.getName()).toList());
    assertThat(UniPc.WAN.withFlowShift(5).withGrid(UniPc.SigmaGrid.OLD).settings())
        .containsEntry("flowShift", 5.0)
        .containsEntry("grid", "old");
  }
}
