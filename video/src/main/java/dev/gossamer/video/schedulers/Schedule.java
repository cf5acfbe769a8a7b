package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.function.Function;
import java.util.function.Supplier;

/** The noise levels that a video visits, laid out for a number of steps. Never changes. */
public final class Schedule {
  private final double[] timesteps;
  private final double[] sigmas;
  private final double[] signals;
  private final Function<StepNoise, Stepper> steppers;

  /**
   * Of a flow, whose steps add no noise.
   *
   * @param timesteps what the model is told of the noise level, per step
   * @param sigmas the noise level before each step, and after the last
   */
  Schedule(double[] timesteps, double[] sigmas, Supplier<Stepper> steppers) {
    this(timesteps, sigmas, ones(timesteps.length), noise -> steppers.get());
  }

  /**
   * @param timesteps what the model is told of the noise level, per step
   * @param sigmas share of noise in a sample before each step, and after the last
   * @param signals factor of a sample in the estimate of the video, per step
   */
  Schedule(
      double[] timesteps,
      double[] sigmas,
      double[] signals,
      Function<StepNoise, Stepper> steppers) {
    this.timesteps = timesteps;
    this.sigmas = sigmas;
    this.signals = signals;
    this.steppers = steppers;
  }

  private static double[] ones(int count) {
    double[] ones = new double[count];
    Arrays.fill(ones, 1);
    return ones;
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

  /** [steps + 1]: the noise level before each step, 1 to 0, and after the last. */
  public double[] sigmas() {
    return sigmas.clone();
  }

  /**
   * What the video would be if the model's output held to the end: the sample times its factor,
   * less sigma times the output.
   *
   * @param step from 0
   * @param sample before the step
   * @return FLOAT32, in the caller's scope
   */
  public Tensor estimate(int step, Tensor modelOutput, Tensor sample) {
    try (Scope scope = Scope.open()) {
      Tensor noise = modelOutput.to(DType.FLOAT32).mul(sigmas[step]);
      Tensor signal = sample.to(DType.FLOAT32);
      return scope.keep((signals[step] == 1 ? signal : signal.mul(signals[step])).sub(noise));
    }
  }

  /** Begins one video with a method that adds no noise. The caller closes the stepper. */
  public Stepper stepper() {
    return stepper(StepNoise.NONE);
  }

  /** Begins one video. The caller closes the stepper, and the source of noise after it. */
  public Stepper stepper(StepNoise noise) {
    return steppers.apply(noise);
  }
}
