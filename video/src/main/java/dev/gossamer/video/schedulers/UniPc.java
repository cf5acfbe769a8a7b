package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/**
 * UniPC, a multistep predictor-corrector, for models that predict a flow's velocity: Wan's
 * scheduler.
 *
 * <p>Source: Zhao and others, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of
 * Diffusion Models", 2023; diffusers' {@code UniPCMultistepScheduler} with {@code use_flow_sigmas}.
 * The step to noise level 0 is always of first order here: its higher orders divide infinite
 * numbers, and the reference gives NaN where its settings ask for them.
 *
 * @param trainTimesteps noise levels of the model's training
 * @param flowShift above 1, more of the steps are spent at high noise; Wan advises 3 for 480p, 5
 *     for 720p
 * @param grid how the noise levels are spread
 * @param solverOrder 1 to 3; 2 is usual with guidance
 * @param solver the paper's choice of B(h)
 * @param lowerOrderFinal whether the last steps are of lower order, which steadies few steps
 * @param disableCorrector steps (from 0) whose result is not corrected in the step after
 * @param finalSigma where the last step ends
 */
public record UniPc(
    int trainTimesteps,
    double flowShift,
    SigmaGrid grid,
    int solverOrder,
    Solver solver,
    boolean lowerOrderFinal,
    List<Integer> disableCorrector,
    FinalSigma finalSigma)
    implements Scheduler {

  /** Which noise levels n steps visit. The reference changed them in January 2026. */
  public enum SigmaGrid {
    /** From 1 on; the reference's present one. */
    NEW,
    /** From just below 1 on; that of all results before. */
    OLD
  }

  /** B(h) of the paper. */
  public enum Solver {
    /** h. */
    BH1,
    /** exp(h) - 1. */
    BH2
  }

  /** The noise level after the last step. */
  public enum FinalSigma {
    ZERO,
    /** That before it: the last step changes nothing. */
    SIGMA_MIN
  }

  /** What Wan 2.1 is released with: shift 3, order 2, B(h) = exp(h) - 1. */
  public static final UniPc WAN =
      new UniPc(1000, 3, SigmaGrid.NEW, 2, Solver.BH2, true, List.of(), FinalSigma.ZERO);

  public UniPc {
    if (trainTimesteps < 1) {
      throw new IllegalArgumentException("trainTimesteps must be at least 1: " + trainTimesteps);
    }
    if (!(flowShift > 0 && flowShift <= 1000)) {
      throw new IllegalArgumentException("flowShift must be above 0, up to 1000: " + flowShift);
    }
    if (solverOrder < 1 || solverOrder > 3) {
      throw new IllegalArgumentException("solverOrder must be 1, 2 or 3: " + solverOrder);
    }
    disableCorrector = List.copyOf(new TreeSet<>(disableCorrector));
  }

  /**
   * @throws BadInputException if it asks for what is not implemented
   */
  static UniPc read(ModelConfig config) {
    config.require(
        config.flag("use_flow_sigmas", false), "use_flow_sigmas", "Only flow models are known");
    config.require(
        config.text("prediction_type", "epsilon").equals("flow_prediction"),
        "prediction_type",
        "Only flow_prediction is known");
    config.require(config.flag("predict_x0", true), "predict_x0", "Only true is known");
    Options.requireFalse(config, "thresholding", "use_dynamic_shifting", "use_karras_sigmas");
    Options.requireFalse(config, "use_exponential_sigmas", "use_beta_sigmas");
    Options.requireNull(config, "solver_p", "shift_terminal", "sigma_min", "sigma_max");
    try {
      return new UniPc(
          config.whole("num_train_timesteps", 1000),
          config.real("flow_shift", 1),
          SigmaGrid.NEW,
          config.whole("solver_order", 2),
          Options.choice(config, "solver_type", Solver.BH2),
          config.flag("lower_order_final", true),
          Arrays.stream(config.wholes("disable_corrector")).boxed().toList(),
          Options.choice(config, "final_sigmas_type", FinalSigma.ZERO));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Correct the file", e);
    }
  }

  public UniPc withFlowShift(double shift) {
    return new UniPc(
        trainTimesteps,
        shift,
        grid,
        solverOrder,
        solver,
        lowerOrderFinal,
        disableCorrector,
        finalSigma);
  }

  public UniPc withGrid(SigmaGrid other) {
    return new UniPc(
        trainTimesteps,
        flowShift,
        other,
        solverOrder,
        solver,
        lowerOrderFinal,
        disableCorrector,
        finalSigma);
  }

  @Override
  public String name() {
    return "unipc";
  }

  @Override
  public Map<String, Object> settings() {
    Map<String, Object> settings = new LinkedHashMap<>();
    settings.put("trainTimesteps", trainTimesteps);
    settings.put("flowShift", flowShift);
    settings.put("grid", grid.name().toLowerCase(Locale.ROOT));
    settings.put("solverOrder", solverOrder);
    settings.put("solver", solver.name().toLowerCase(Locale.ROOT));
    settings.put("lowerOrderFinal", lowerOrderFinal);
    settings.put("disableCorrector", disableCorrector);
    settings.put("finalSigma", finalSigma.name().toLowerCase(Locale.ROOT));
    return settings;
  }

  /**
   * {@inheritDoc} The timesteps are whole numbers, cut off.
   *
   * @throws UsageException if {@code steps} is below 1 or above {@link #trainTimesteps}
   */
  @Override
  public Schedule plan(int steps) {
    Schedule.check(steps, trainTimesteps);
    double[] timesteps = new double[steps];
    double[] sigmas = new double[steps + 1];
    for (int i = 0; i < steps; i++) {
      double sigma = grid == SigmaGrid.NEW ? sigma(i, steps) : olderSigma(i, steps);
      timesteps[i] = Math.floor(sigma * trainTimesteps);
      sigmas[i] = (float) sigma; // as the reference keeps them
    }
    sigmas[steps] = finalSigma == FinalSigma.ZERO ? 0 : sigmas[steps - 1];
    return new Schedule(timesteps, sigmas, () -> new UniPcStepper(this, sigmas));
  }

  private double sigma(int i, int steps) {
    double shifted = shift(line(i, steps));
    return i == 0 && Math.abs(shifted - 1) < 1e-6 ? shifted - 1e-6 : shifted;
  }

  /** The older grid counts from the noise-free end, which it then leaves out. */
  private double olderSigma(int i, int steps) {
    return shift(1 - line(steps - i, steps));
  }

  /** Point i of steps + 1 even ones from 1 to 1 / trainTimesteps. */
  private double line(int i, int steps) {
    double last = 1.0 / trainTimesteps;
    return i == steps ? last : 1 + i * ((last - 1) / steps);
  }

  private double shift(double sigma) {
    return flowShift * sigma / (1 + (flowShift - 1) * sigma);
  }
}
