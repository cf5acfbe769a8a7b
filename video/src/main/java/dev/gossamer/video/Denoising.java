package dev.gossamer.video;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.schedulers.Stepper;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The loop that makes noise into latents: for each step the transformer predicts, once for the
 * prompt and once for the negative, guidance combines the two, the scheduler takes the step.
 *
 * <p>Latents stay float32 throughout; predictions are combined in the transformer's type, as in the
 * reference. On a processor both branches of a step run side by side. Between two steps the whole
 * run is a {@link RunState}.
 */
final class Denoising implements AutoCloseable {
  private final Scope held = Scope.detached();
  private final Setting setting;
  private final double[] timesteps;
  private final Schedule schedule;
  private final FurtherNoise noise;
  private final Stepper stepper;
  private final AttentionSession session;
  private final Denoiser denoiser;
  private final Map<String, Tensor> trajectory = new LinkedHashMap<>();
  private final List<Double> stepSeconds = new ArrayList<>();
  private Tensor latents;
  private Tensor estimate;
  private int done;
  private AttentionReport earlier = new AttentionReport(List.of(), List.of());

  /**
   * What one denoising is of.
   *
   * @param keepTrajectory whether the latents after each step are kept
   */
  record Setting(
      VideoModel model,
      VideoRequest request,
      RunIdentity identity,
      Threads threads,
      Device device,
      AttentionPlan plan,
      boolean keepTrajectory) {}

  /** Sees the run after a step. */
  interface Observer {
    /**
     * @param done steps done
     * @param denoising with its latents and its estimate of the final ones
     */
    void after(int done, Denoising denoising);
  }

  /**
   * At the start of a run.
   *
   * @param prompts for each branch
   * @param image that the video begins with, if it does
   * @param noise {@link VideoModel#latentShape}, float32
   */
  Denoising(
      Setting setting, List<PromptEncoding> prompts, Optional<PromptEncoding> image, Tensor noise) {
    this.setting = setting;
    VideoModel model = setting.model();
    schedule = model.schedule(setting.request().steps());
    timesteps = schedule.timesteps();
    this.noise = new FurtherNoise(model, setting.request());
    stepper = schedule.stepper(this.noise);
    session = setting.request().attention().open(setting.plan(), setting.threads());
    denoiser = model.denoiser(setting.request(), prompts, image, session);
    try (Scope scope = Scope.open()) {
      latents = held.adopt(noise.to(setting.device()).copy());
      estimate = held.adopt(latents.copy());
    }
  }

  /**
   * Takes over where another run stopped.
   *
   * @throws BadInputException if the state does not fit this run
   */
  void restore(RunState state) {
    try (Scope scope = Scope.open()) {
      if (!Arrays.equals(state.latents().shape(), latents.shape())
          || state.latents().dtype() != DType.FLOAT32
          || state.steps() != setting.request().steps()
          || state.done() > state.steps()) {
        throw new BadInputException(
            "Cannot go on from a saved run whose latents are "
                + Arrays.toString(state.latents().shape())
                + ", expected "
                + Arrays.toString(latents.shape()),
            "Run without --resume to begin anew");
      }
      Tensor stored = state.latents().to(setting.device()).copy();
      latents.close();
      latents = held.adopt(stored);
      stepper.restore(state.done(), state.under("scheduler."));
      session.restore(state.under("attention."));
      state.under("step_").forEach((name, step) -> trajectory.put(name, held.adopt(step.copy())));
    }
    done = state.done();
    stepSeconds.addAll(state.stepSeconds());
    earlier = state.attention();
  }

  /**
   * Makes the steps that are left.
   *
   * @throws InterruptedRunException if it was cancelled; the state is saved then
   * @throws GossamerException if a step gives numbers that are not finite
   */
  void run(Stage stage, Progress progress, Checkpoints checkpoints, Observer observer) {
    int steps = setting.request().steps();
    progress.begin(stage, steps);
    while (done < steps) {
      if (progress.cancelled()) {
        throw stopped(checkpoints);
      }
      long start = System.nanoTime();
      step();
      stepSeconds.add((System.nanoTime() - start) / 1e9);
      progress.advance(stage, done, steps);
      observer.after(done, this);
      if (done < steps) {
        checkpoints.offer(this::state);
      }
    }
    progress.end(stage, stepSeconds.stream().mapToDouble(Double::doubleValue).sum());
  }

  private InterruptedRunException stopped(Checkpoints checkpoints) {
    String after = "Stopped after step " + done + " of " + setting.request().steps();
    return done == 0
        ? new InterruptedRunException(after, "Nothing was lost; run the command again")
        : checkpoints
            .save(this::state)
            .map(
                file ->
                    new InterruptedRunException(
                        after + ", saved in " + file,
                        "Run the same command with --resume to go on"))
            .orElse(new InterruptedRunException(after, ""));
  }

  private void step() {
    try (Scope scope = Scope.open()) {
      double timestep = timesteps[done];
      Tensor[] predictions = new Tensor[denoiser.branches()];
      if (setting.device().isCpu() && predictions.length > 1) {
        setting
            .threads()
            .forEach(predictions.length, branch -> predict(scope, predictions, timestep, branch));
      } else {
        for (int branch = 0; branch < predictions.length; branch++) {
          predict(scope, predictions, timestep, branch);
        }
      }
      Tensor combined =
          predictions.length == 1
              ? predictions[0]
              : predictions[1].add(
                  predictions[0].sub(predictions[1]).mul(denoiser.guidance(done, timestep)));
      Tensor clean = schedule.estimate(done, combined, latents);
      Tensor next = stepper.step(done, combined, latents);
      if (!next.isFinite().all().isTrue()) {
        throw new GossamerException(
            "Denoising step "
                + (done + 1)
                + " of "
                + setting.request().steps()
                + " gave numbers that are not finite",
            "Try --dtype fp32 or a lower --guidance, and check the weights with models inspect");
      }
      latents.close();
      latents = held.adopt(next);
      estimate.close();
      estimate = held.adopt(clean);
      keepTrajectory();
      done++;
    }
  }

  private void predict(Scope scope, Tensor[] predictions, double timestep, int branch) {
    predictions[branch] = scope.adopt(denoiser.predict(latents, timestep, done, branch));
  }

  private void keepTrajectory() {
    if (setting.keepTrajectory()) {
      trajectory.put(
          String.format(Locale.ROOT, "%03d", done), held.adopt(latents.to(Device.CPU).copy()));
    }
  }

  /** The run as it is now; the tensors belong to this object or to the current scope. */
  RunState state() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("latents", latents);
    if (done < setting.request().steps()) {
      stepper.save().forEach((name, tensor) -> tensors.put("scheduler." + name, tensor));
      session.state().forEach((name, tensor) -> tensors.put("attention." + name, tensor));
    }
    trajectory.forEach((name, tensor) -> tensors.put("step_" + name, tensor));
    return new RunState(
        setting.identity(), done, setting.request().steps(), stepSeconds, attention(), tensors);
  }

  /** {@link VideoModel#latentShape}, float32, on the device; belongs to this object. */
  Tensor latents() {
    return latents;
  }

  /**
   * What the final latents would be if the last prediction held to the end, shaped as they are;
   * belongs to this object and holds until the next step.
   */
  Tensor estimate() {
    return estimate;
  }

  /** The latents after each step, {@code step_000} being those after the first. */
  Map<String, Tensor> trajectory() {
    Map<String, Tensor> named = new LinkedHashMap<>();
    trajectory.forEach((name, tensor) -> named.put("step_" + name, tensor));
    return named;
  }

  /** Of each step that is done, those before an interruption included. */
  List<Double> stepSeconds() {
    return List.copyOf(stepSeconds);
  }

  AttentionReport attention() {
    return earlier.then(session.report());
  }

  @Override
  public void close() {
    denoiser.close();
    session.close();
    stepper.close();
    noise.close();
    held.close();
  }
}
