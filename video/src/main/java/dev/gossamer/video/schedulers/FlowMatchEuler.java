package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Map;

/**
 * Euler steps along a flow: x + (sigma_next - sigma) v. HunyuanVideo's scheduler, and an
 * alternative for Wan.
 *
 * <p>The reference shifts the noise levels twice when it chooses them itself ({@link #plan(int)}:
 * its lowest is shifted already), once when it is given some ({@link #plan(double[])}). Both are
 * kept, as the released models were used so.
 *
 * <p>Source: diffusers' {@code FlowMatchEulerDiscreteScheduler}.
 *
 * @param trainTimesteps noise levels of the model's training
 * @param shift above 1, more of the steps are spent at high noise
 */
public record FlowMatchEuler(int trainTimesteps, double shift) implements Scheduler {
  public FlowMatchEuler {
    if (trainTimesteps < 1) {
      throw new IllegalArgumentException("trainTimesteps must be at least 1: " + trainTimesteps);
    }
    if (!(shift > 0 && shift <= 1000)) {
      throw new IllegalArgumentException("shift must be above 0, up to 1000: " + shift);
    }
  }

  /**
   * @throws BadInputException if it asks for what is not implemented
   */
  static FlowMatchEuler read(ModelConfig config) {
    Options.requireFalse(config, "use_dynamic_shifting", "invert_sigmas", "stochastic_sampling");
    Options.requireFalse(config, "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas");
    Options.requireNull(config, "shift_terminal");
    try {
      return new FlowMatchEuler(config.whole("num_train_timesteps", 1000), config.real("shift", 1));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Correct the file", e);
    }
  }

  @Override
  public String name() {
    return "flow-match-euler";
  }

  @Override
  public Map<String, Object> settings() {
    return Map.of("trainTimesteps", trainTimesteps, "shift", shift);
  }

  /**
   * Even noise levels between the model's highest and lowest, shifted again.
   *
   * @throws UsageException if {@code steps} is below 1 or above {@link #trainTimesteps}
   */
  @Override
  public Schedule plan(int steps) {
    Schedule.check(steps, trainTimesteps);
    double lowest = shifted(1f / trainTimesteps);
    float[] sigmas = new float[steps];
    for (int i = 0; i < steps; i++) {
      double timestep = trainTimesteps; // numpy's linspace, whose last point is exact
      if (i > 0) {
        double last = lowest * trainTimesteps;
        timestep = i == steps - 1 ? last : i * ((last - timestep) / (steps - 1)) + trainTimesteps;
      }
      double sigma = timestep / trainTimesteps;
      sigmas[i] = (float) (shift * sigma / (1 + (shift - 1) * sigma));
    }
    return schedule(sigmas);
  }

  /**
   * The given noise levels, shifted.
   *
   * @param sigmas falling, at most 1 and above 0
   * @throws IllegalArgumentException if they are not
   */
  public Schedule plan(double[] sigmas) {
    float[] levels = new float[sigmas.length];
    for (int i = 0; i < sigmas.length; i++) {
      if (!(sigmas[i] > 0 && sigmas[i] <= (i == 0 ? 1 : sigmas[i - 1]))) {
        throw new IllegalArgumentException(
            "Noise levels must fall from 1 at most and stay above 0, not " + sigmas[i]);
      }
      levels[i] = shifted((float) sigmas[i]);
    }
    return schedule(levels);
  }

  /** 1, 1 - 1/steps, .., 1/steps: what HunyuanVideo's pipeline gives its scheduler. */
  public static double[] evenSigmas(int steps) {
    double[] sigmas = new double[steps];
    for (int i = 0; i < steps; i++) {
      sigmas[i] = 1 + i * (-1.0 / steps);
    }
    return sigmas;
  }

  /** In float32, as the reference. */
  private float shifted(float sigma) {
    return (float) shift * sigma / (1 + (float) (shift - 1) * sigma);
  }

  private Schedule schedule(float[] levels) {
    double[] timesteps = new double[levels.length];
    double[] sigmas = new double[levels.length + 1];
    for (int i = 0; i < levels.length; i++) {
      timesteps[i] = levels[i] * trainTimesteps;
      sigmas[i] = levels[i];
    }
    return new Schedule(timesteps, sigmas, () -> new Steps(sigmas));
  }

  /** One video; each step depends on its sample alone. */
  private static final class Steps implements Stepper {
    private final double[] sigmas;
    private int next;

    Steps(double[] sigmas) {
      this.sigmas = sigmas;
    }

    @Override
    public Tensor step(int index, Tensor modelOutput, Tensor sample) {
      if (index != next || next == sigmas.length - 1) {
        throw new IllegalStateException(
            "Step " + index + " was asked for, but " + next + " are done");
      }
      try (Scope scope = Scope.open()) {
        float distance = (float) sigmas[index + 1] - (float) sigmas[index];
        Tensor move = modelOutput.to(DType.FLOAT32).mul(distance);
        next++;
        return scope.keep(sample.to(DType.FLOAT32).add(move));
      }
    }

    @Override
    public Map<String, Tensor> save() {
      return Map.of();
    }

    @Override
    public void restore(int step, Map<String, Tensor> history) {
      if (step < 0 || step >= sigmas.length) {
        throw new BadInputException(
            "Cannot continue at step " + step,
            "This schedule has " + (sigmas.length - 1) + " steps");
      }
      next = step;
    }

    @Override
    public void close() {}
  }
}
