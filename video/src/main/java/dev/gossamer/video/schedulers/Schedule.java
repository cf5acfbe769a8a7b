package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.failure.UsageException;
import java.util.function.Supplier;

/** The noise levels that a video visits, laid out for a number of steps. Never changes. */
public final class Schedule {
  private final double[] timesteps;
  private final double[] sigmas;
  private final Supplier<Stepper> steppers;

  /**
   * @param timesteps what the model is told of the noise level, per step
   * @param sigmas the noise level before each step, and after the last
   */
  Schedule(double[] timesteps, double[] sigmas, Supplier<Stepper> steppers) {
    this.timesteps = timesteps;
    this.sigmas = sigmas;
    this.steppers = steppers;
  }

  static void check(int steps, int trainTimesteps) {
    if (steps < 1 || steps > trainTimesteps) {
      throw new UsageException(
          "Cannot sample in " + steps + " steps", "Use 1 to " + trainTimesteps + " steps");
    }
  }

  /** Number of steps. */
  public int steps() {
    return timesteps.length;
  }

  /** [steps]: what the model is told of the noise level before each step, 0 to 1000. */
  public double[] timesteps() {
    return timesteps.clone();
  }

  /** [steps + 1]: the noise level before each step, 1 to 0, and after the last; float32 values. */
  public double[] sigmas() {
    return sigmas.clone();
  }

  /** Begins one video. The caller closes the stepper. */
  public Stepper stepper() {
    return steppers.get();
  }
}
