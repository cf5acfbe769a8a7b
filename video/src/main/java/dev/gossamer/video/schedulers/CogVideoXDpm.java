package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.Map;

/**
 * DPM-Solver++ of second order along the stochastic differential equation, for a model that
 * predicts v: each step adds new noise. CogVideoX-5B's scheduler.
 *
 * <p>Source: Lu and others, "DPM-Solver++", 2022; diffusers' {@code CogVideoXDPMScheduler}, whose
 * draws of noise are repeated one for one: a second-order step draws twice and uses the second.
 *
 * @param levels the noise levels
 */
public record CogVideoXDpm(NoiseLevels levels) implements Scheduler {
  @Override
  public String name() {
    return "cogvideox-dpm";
  }

  @Override
  public Map<String, Object> settings() {
    return levels.asMap();
  }

  @Override
  public Schedule plan(int steps) {
    return levels.plan(steps, plan -> noise -> new Steps(plan, noise));
  }

  /** One video; remembers the estimate of the video of the step before. */
  private static final class Steps implements Stepper {
    private static final String ESTIMATE = "estimate";

    private final NoiseLevels.Steps plan;
    private final StepNoise noise;
    private final Scope held = Scope.detached();
    private Tensor estimate; // null before the first step
    private int next;

    Steps(NoiseLevels.Steps plan, StepNoise noise) {
      this.plan = plan;
      this.noise = noise;
    }

    @Override
    public Tensor step(int index, Tensor modelOutput, Tensor sample) {
      if (index != next || next == plan.count()) {
        throw new IllegalStateException(
            "Step " + index + " was asked for, but " + next + " are done");
      }
      try (Scope scope = Scope.open()) {
        Tensor x = sample.to(DType.FLOAT32);
        Tensor video = plan.video(index, modelOutput.to(DType.FLOAT32), x);
        Tensor direction = isSecondOrder(index) ? extrapolated(index, video) : video;
        Tensor added = draw(index).to(x.device());
        double after = plan.after(index);
        double gap = Math.exp(-logRatio(after) + logRatio(plan.before(index))); // e^-h
        double kept = Math.sqrt((1 - after) / (1 - plan.before(index))) * gap;
        Tensor result =
            x.mul(kept)
                .sub(direction.mul((gap * gap - 1) * Math.sqrt(after)))
                .add(added.mul(Math.sqrt(1 - after) * Math.sqrt(1 - gap * gap)));
        remember(video);
        next++;
        return scope.keep(result);
      }
    }

    /** The first step has no estimate before it; the last ends in the estimate itself. */
    private boolean isSecondOrder(int index) {
      return index > 0 && !plan.isLast(index);
    }

    /** Half the logarithm of the signal-to-noise ratio; infinite at both ends. */
    private static double logRatio(double signalVariance) {
      return Math.log(Math.sqrt(signalVariance / (1 - signalVariance)));
    }

    /** Carries the change from the last estimate to this one on to the middle of the step. */
    private Tensor extrapolated(int index, Tensor video) {
      double here = logRatio(plan.before(index));
      double ratio =
          (here - logRatio(plan.before(index - 1))) / (logRatio(plan.after(index)) - here);
      double share = 1 / (2 * ratio); // 0 in the second step, whose forerunner was all noise
      return video.mul(1 + share).sub(estimate.to(video.device()).mul(share));
    }

    /** As often as the reference; only the last draw is used. */
    private Tensor draw(int index) {
      Tensor first = noise.next();
      if (!isSecondOrder(index)) {
        return first;
      }
      first.close();
      return noise.next();
    }

    private void remember(Tensor video) {
      if (estimate != null) {
        estimate.close();
      }
      estimate = held.adopt(video);
    }

    @Override
    public Map<String, Tensor> save() {
      return estimate == null ? Map.of() : Map.of(ESTIMATE, estimate);
    }

    @Override
    public void restore(int step, Map<String, Tensor> history) {
      if (step < 0 || step > plan.count()) {
        throw new BadInputException(
            "Cannot continue at step " + step, "This schedule has " + plan.count() + " steps");
      }
      if (next != 0) {
        throw new IllegalStateException("Only a fresh stepper is restored");
      }
      if (step > 0 && !history.containsKey(ESTIMATE)) {
        throw new BadInputException(
            "Cannot continue at step " + step + ": no " + ESTIMATE + " among " + history.keySet(),
            "Run without --resume to begin anew");
      }
      try (Scope scope = Scope.open()) {
        if (step > 0) {
          remember(history.get(ESTIMATE).copy());
        }
        while (next < step) {
          draw(next++).close();
        }
      }
    }

    @Override
    public void close() {
      held.close();
    }
  }
}
