package dev.gossamer.video.schedulers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden {@code cogvideox_schedulers}, made with diffusers' own. */
class CogVideoXSchedulersTest {
  private static final Golden GOLDEN = Golden.open("/goldens/cogvideox_schedulers/io.safetensors");

  private static NoiseLevels levels(int snrShift) {
    return new NoiseLevels(1000, 0.00085, 0.012, snrShift);
  }

  private static Scheduler scheduler(String method, int snrShift) {
    return method.equals("ddim")
        ? new CogVideoXDdim(levels(snrShift))
        : new CogVideoXDpm(levels(snrShift));
  }

  /** Hands out the golden's draws one by one. */
  private static final class Draws implements StepNoise {
    private final String key;
    private int taken;

    Draws(String key) {
      this.key = key;
    }

    @Override
    public Tensor next() {
      return GOLDEN.tensor(key + ".noises").select(0, taken++);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void noiseLevelsAreThoseOfTheReference(int snrShift) {
    try (Scope scope = Scope.open()) {
      double[] expected = GOLDEN.tensor("alphas_cumprod_snr" + snrShift).toDoubles();
      double[] found = levels(snrShift).signalVariances();
      assertThat(found).hasSize(1000);
      for (int t = 0; t < 1000; t++) {
        assertThat(Math.abs(found[t] - expected[t])).as("timestep %d", t).isLessThan(1e-12);
      }
      assertThat(found[999]).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "ddim,2,1", "ddim,2,3", "ddim,4,1", "ddim,4,3", "ddim,10,1", "ddim,10,3",
    "dpm,2,1", "dpm,2,3", "dpm,4,1", "dpm,4,3", "dpm,10,1", "dpm,10,3"
  })
  void everyStepIsThatOfTheReference(String method, int steps, int snrShift) {
    String key = method + "_n" + steps + "_snr" + snrShift;
    Schedule schedule = scheduler(method, snrShift).plan(steps);
    Draws draws = new Draws(key);
    try (Scope scope = Scope.open();
        Stepper stepper = schedule.stepper(draws)) {
      assertThat(schedule.timesteps())
          .containsExactly(GOLDEN.tensor(key + ".timesteps").toDoubles());
      Tensor trajectory = GOLDEN.tensor(key + ".trajectory");
      Tensor outputs = GOLDEN.tensor(key + ".model_outputs");
      Tensor x = trajectory.select(0, 0);
      for (int i = 0; i < steps; i++) {
        Tensor estimate = schedule.estimate(i, outputs.select(0, i), x);
        int before = draws.taken;
        x = stepper.step(i, outputs.select(0, i), x);
        assertThat(Golden.relativeError(x, trajectory.select(0, i + 1)))
            .as("step %d", i)
            .isLessThan(1e-5);
        if (method.equals("dpm")) {
          long[] calls = GOLDEN.tensor(key + ".noise_calls").toLongs();
          assertThat(draws.taken - before).as("draws of step %d", i).isEqualTo((int) calls[i]);
        }
        if (i == steps - 1) {
          assertThat(Golden.maxDifference(estimate, x)).isLessThan(1e-5);
        }
      }
    }
  }

  /** A run that stopped after any step goes on with the same numbers, draws included. */
  @ParameterizedTest
  @ValueSource(strings = {"ddim", "dpm"})
  void continuesFromWhatItSaved(String method) {
    String key = method + "_n10_snr1";
    Schedule schedule = scheduler(method, 1).plan(10);
    for (int stop = 0; stop <= 10; stop++) {
      try (Scope scope = Scope.open();
          Stepper first = schedule.stepper(new Draws(key));
          Stepper second = schedule.stepper(new Draws(key))) {
        Tensor outputs = GOLDEN.tensor(key + ".model_outputs");
        Tensor x = GOLDEN.tensor(key + ".trajectory").select(0, 0);
        Map<String, Tensor> saved = new HashMap<>();
        Tensor at = x;
        for (int i = 0; i < 10; i++) {
          if (i == stop) {
            first.save().forEach((name, tensor) -> saved.put(name, tensor.copy()));
            at = x;
          }
          x = first.step(i, outputs.select(0, i), x);
        }
        if (stop == 10) {
          first.save().forEach((name, tensor) -> saved.put(name, tensor.copy()));
          at = x;
        }
        second.restore(stop, saved);
        for (int i = stop; i < 10; i++) {
          at = second.step(i, outputs.select(0, i), at);
        }
        assertThat(at.toFloats()).as("stopped before %d", stop).containsExactly(x.toFloats());
      }
    }
  }

  @Test
  void refusesStepsOutOfOrderAndForeignStates() {
    try (Scope scope = Scope.open();
        Stepper stepper = scheduler("dpm", 1).plan(4).stepper(new Draws("dpm_n4_snr1"))) {
      Tensor x = GOLDEN.tensor("dpm_n4_snr1.trajectory").select(0, 0);
      assertThatThrownBy(() -> stepper.step(1, x, x)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> stepper.restore(2, Map.of()))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("estimate");
      assertThatThrownBy(() -> stepper.restore(5, Map.of())).isInstanceOf(BadInputException.class);
    }
  }

  @Test
  void aMethodThatAddsNoiseNeedsASource() {
    try (Scope scope = Scope.open();
        Stepper stepper = scheduler("dpm", 1).plan(4).stepper()) {
      Tensor x = GOLDEN.tensor("dpm_n4_snr1.trajectory").select(0, 0);
      assertThatThrownBy(() -> stepper.step(0, x, x))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("noise");
    }
  }
}
