package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How a sampler walks from noise to a video: which noise levels it visits and how it gets from one
 * to the next. A scheduler is a settings object that never changes; everything that belongs to one
 * video is in the {@link Stepper} that its {@link Schedule} opens.
 *
 * <p>Noise levels (sigmas) run from 1, all noise, to 0, none. For a flow a sample is (1 - sigma)
 * video + sigma noise, and a model's output is the velocity noise - video; for a diffusion with
 * v-prediction a sample is s video + sigma noise with s^2 + sigma^2 = 1, and the output s noise -
 * sigma video. Starting noise needs no scaling.
 */
public interface Scheduler {
  /** For reports, for example {@code unipc}. */
  String name();

  /** Every setting by name, for reports. */
  Map<String, Object> settings();

  /** The scheduler's name and every setting, as they stand in a report. */
  default Map<String, Object> report() {
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("scheduler", name());
    report.putAll(settings());
    return report;
  }

  /**
   * Lays out a number of steps.
   *
   * @throws UsageException if {@code steps} is below 1 or above the steps of the model's training
   */
  Schedule plan(int steps);

  /**
   * The scheduler of a checkpoint's {@code scheduler_config.json}, by its {@code _class_name}.
   *
   * @throws BadInputException if it is of a class, or has an option, that is not known here
   */
  static Scheduler read(ModelConfig config) {
    return switch (config.className()) {
      case "UniPCMultistepScheduler" -> UniPc.read(config);
      case "FlowMatchEulerDiscreteScheduler" -> FlowMatchEuler.read(config);
      case "CogVideoXDDIMScheduler" -> new CogVideoXDdim(NoiseLevels.read(config));
      case "CogVideoXDPMScheduler" -> new CogVideoXDpm(NoiseLevels.read(config));
      default ->
          throw new BadInputException(
              "Cannot use "
                  + config.path()
                  + ": there is no scheduler '"
                  + config.className()
                  + "' here",
              "Known are UniPCMultistepScheduler, FlowMatchEulerDiscreteScheduler,"
                  + " CogVideoXDDIMScheduler and CogVideoXDPMScheduler");
    };
  }
}
