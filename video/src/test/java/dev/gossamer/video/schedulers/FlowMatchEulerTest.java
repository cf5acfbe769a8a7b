package dev.gossamer.video.schedulers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FlowMatchEulerTest {
  /** Golden euler_flow: 1 to 50 steps at shifts 1, 3 and 7, both ways to choose noise levels. */
  @ParameterizedTest
  @CsvSource({
    "1,1", "1,3", "1,7", "2,1", "2,3", "2,7", "4,1", "4,3", "4,7", "10,1", "10,3", "10,7", "50,1",
    "50,3", "50,7"
  })
  void agreesWithTheGolden(int steps, int shift) {
    FlowMatchEuler euler = new FlowMatchEuler(1000, shift);
    String suffix = "_n" + steps + "_s" + shift;
    compare(euler.plan(steps), "default" + suffix);
    compare(euler.plan(FlowMatchEuler.evenSigmas(steps)), "sigmas" + suffix);
  }

  private static void compare(Schedule schedule, String key) {
    Golden golden = Golden.open("/goldens/euler_flow/io.safetensors");
    try (Scope scope = Scope.open();
        Stepper stepper = schedule.stepper()) {
      assertThat(schedule.timesteps())
          .as(key)
          .containsExactly(golden.tensor(key + ".timesteps").toDoubles());
      assertThat(schedule.sigmas())
          .as(key)
          .containsExactly(golden.tensor(key + ".sigmas").toDoubles());
      Tensor trajectory = golden.tensor(key + ".trajectory");
      Tensor x = trajectory.select(0, 0);
      for (int i = 0; i < schedule.steps(); i++) {
        x = stepper.step(i, golden.tensor(key + ".model_outputs").select(0, i), x);
        assertThat(Golden.relativeError(x, trajectory.select(0, i + 1)))
            .as("%s step %d", key, i)
            .isLessThan(1e-6);
      }
    }
  }

  @Test
  void isReadFromACheckpoint() {
    ModelConfig config =
        ModelConfig.read(Golden.path("/goldens/euler_flow/scheduler/scheduler_config.json"));
    assertThat(Scheduler.read(config)).isEqualTo(new FlowMatchEuler(1000, 7));
  }

  @Test
  void hasNoMemoryAndGoesOnAtAnyStep() {
    long before = Tensor.live();
    Schedule schedule = new FlowMatchEuler(1000, 3).plan(4);
    try (Scope scope = Scope.open();
        Stepper stepper = schedule.stepper()) {
      Tensor x = Tensor.full(1, DType.FLOAT32, 4);
      stepper.restore(3, Map.of());
      assertThat(stepper.save()).isEmpty();
      assertThatThrownBy(() -> stepper.step(0, x, x)).isInstanceOf(IllegalStateException.class);
      assertThat(stepper.step(3, x, x).toFloats()).containsOnly((float) (1 - schedule.sigmas()[3]));
      assertThatThrownBy(() -> stepper.step(4, x, x)).isInstanceOf(IllegalStateException.class);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void refusesNoiseLevelsThatDoNotFall() {
    FlowMatchEuler euler = new FlowMatchEuler(1000, 3);
    for (double[] sigmas : new double[][] {{1.1}, {0.5, 0.7}, {0.5, 0}, {Double.NaN}}) {
      assertThatThrownBy(() -> euler.plan(sigmas)).isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> euler.plan(0)).isInstanceOf(UsageException.class);
  }
}
