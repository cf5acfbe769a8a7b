package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * The noise that CogVideoX was trained with and the levels of it that a sampler visits: a scaled
 * linear schedule whose signal-to-noise ratio is divided by a shift and then moved so that the last
 * level is noise alone; steps trail, so the first starts there.
 *
 * <p>Source: {@code CogVideoXDDIMScheduler} and {@code CogVideoXDPMScheduler} of diffusers; Lin and
 * others, "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2024.
 *
 * @param trainTimesteps noise levels of the model's training
 * @param betaStart variance that the first level adds
 * @param betaEnd variance that the last level adds
 * @param snrShift what the signal-to-noise ratio is divided by: 3 for the 2B model, 1 for the 5B
 */
public record NoiseLevels(int trainTimesteps, double betaStart, double betaEnd, double snrShift) {
  /** What CogVideoX-2B is released with. */
  public static final NoiseLevels COGVIDEOX_2B = new NoiseLevels(1000, 0.00085, 0.012, 3);

  public NoiseLevels {
    if (trainTimesteps < 2) {
      throw new IllegalArgumentException("trainTimesteps must be at least 2: " + trainTimesteps);
    }
    if (!(betaStart > 0 && betaStart <= betaEnd && betaEnd < 1)) {
      throw new IllegalArgumentException(
          "betas must rise between 0 and 1, not from " + betaStart + " to " + betaEnd);
    }
    if (!(snrShift > 0 && snrShift <= 1000)) {
      throw new IllegalArgumentException("snrShift must be above 0, up to 1000: " + snrShift);
    }
  }

  /**
   * @throws BadInputException if it asks for what is not implemented
   */
  static NoiseLevels read(ModelConfig config) {
    Options.requireText(config, "beta_schedule", "scaled_linear");
    Options.requireText(config, "prediction_type", "v_prediction");
    Options.requireText(config, "timestep_spacing", "trailing");
    Options.requireTrue(config, "rescale_betas_zero_snr", "set_alpha_to_one");
    Options.requireFalse(config, "clip_sample");
    Options.requireNull(config, "trained_betas");
    try {
      return new NoiseLevels(
          config.whole("num_train_timesteps", 1000),
          config.real("beta_start", 0.00085),
          config.real("beta_end", 0.012),
          config.real("snr_shift_scale", 3));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Correct the file", e);
    }
  }

  Map<String, Object> asMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("trainTimesteps", trainTimesteps);
    map.put("betaStart", betaStart);
    map.put("betaEnd", betaEnd);
    map.put("snrShift", snrShift);
    return map;
  }

  /**
   * [trainTimesteps]: the share of the video's variance in a sample, by timestep; the reference's
   * {@code alphas_cumprod}. The last is 0.
   */
  double[] signalVariances() {
    double[] signals = new double[trainTimesteps];
    double low = Math.sqrt(betaStart);
    double high = Math.sqrt(betaEnd);
    double product = 1;
    for (int t = 0; t < trainTimesteps; t++) {
      double root = low + t * ((high - low) / (trainTimesteps - 1));
      product *= 1 - root * root;
      signals[t] = Math.sqrt(product / (snrShift + (1 - snrShift) * product));
    }
    double first = signals[0];
    double last = signals[trainTimesteps - 1];
    for (int t = 0; t < trainTimesteps; t++) {
      double moved = (signals[t] - last) * (first / (first - last));
      signals[t] = moved * moved;
    }
    return signals;
  }

  /** What a sampler needs to know of its steps. */
  static final class Steps {
    private final int[] timesteps;
    private final int stride;
    private final double[] signalVariances;

    private Steps(int[] timesteps, int stride, double[] signalVariances) {
      this.timesteps = timesteps;
      this.stride = stride;
      this.signalVariances = signalVariances;
    }

    int count() {
      return timesteps.length;
    }

    /** Share of the video's variance before a step. */
    double before(int step) {
      return signalVariances[timesteps[step]];
    }

    /** Share of the video's variance after a step; 1 after the last. */
    double after(int step) {
      int next = timesteps[step] - stride;
      return next < 0 ? 1 : signalVariances[next];
    }

    /** Whether a step ends in the video itself. */
    boolean isLast(int step) {
      return timesteps[step] < stride;
    }

    /** sqrt(a) x - sqrt(1 - a) v. */
    Tensor video(int step, Tensor output, Tensor sample) {
      return sample.mul(Math.sqrt(before(step))).sub(output.mul(Math.sqrt(1 - before(step))));
    }
  }

  /**
   * Lays out a number of steps.
   *
   * @param stepper begins a video
   * @throws dev.gossamer.tensor.failure.UsageException if it cannot be made in so many steps
   */
  Schedule plan(int count, Function<Steps, Function<StepNoise, Stepper>> stepper) {
    Schedule.check(count, trainTimesteps);
    int[] visited = new int[count];
    double[] timesteps = new double[count];
    double[] sigmas = new double[count + 1];
    double[] signals = new double[count];
    double[] variances = signalVariances();
    for (int i = 0; i < count; i++) {
      visited[i] = (int) Math.rint(trainTimesteps - i * ((double) trainTimesteps / count)) - 1;
      timesteps[i] = visited[i];
      sigmas[i] = Math.sqrt(1 - variances[visited[i]]);
      signals[i] = Math.sqrt(variances[visited[i]]);
    }
    Steps steps = new Steps(visited, trainTimesteps / count, variances);
    sigmas[count] = Math.sqrt(1 - steps.after(count - 1));
    return new Schedule(timesteps, sigmas, signals, stepper.apply(steps));
  }
}
