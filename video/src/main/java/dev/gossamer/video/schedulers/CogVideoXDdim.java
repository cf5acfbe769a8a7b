package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.Map;

/**
 * DDIM for a model that predicts v: from the estimate of the video straight on to the next noise
 * level, without new noise. CogVideoX-2B's scheduler.
 *
 * <p>Source: Song and others, "Denoising Diffusion Implicit Models", 2021; diffusers' {@code
 * CogVideoXDDIMScheduler} with {@code eta} 0.
 *
 * @param levels the noise levels
 */
public record CogVideoXDdim(NoiseLevels levels) implements Scheduler {
  @Override
  public String name() {
    return "cogvideox-ddim";
  }

  @Override
  public Map<String, Object> settings() {
    return levels.asMap();
  }

  @Override
  public Schedule plan(int steps) {
    return levels.plan(steps, plan -> noise -> new Steps(plan));
  }

  /** One video; each step depends on its sample alone. */
  private static final class Steps implements Stepper {
    private final NoiseLevels.Steps plan;
    private int next;

    Steps(NoiseLevels.Steps plan) {
      this.plan = plan;
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
        double before = plan.before(index);
        double after = plan.after(index);
        double kept = Math.sqrt((1 - after) / (1 - before));
        next++;
        return scope.keep(x.mul(kept).add(video.mul(Math.sqrt(after) - Math.sqrt(before) * kept)));
      }
    }

    @Override
    public Map<String, Tensor> save() {
      return Map.of();
    }

    @Override
    public void restore(int step, Map<String, Tensor> history) {
      if (step < 0 || step > plan.count()) {
        throw new BadInputException(
            "Cannot continue at step " + step, "This schedule has " + plan.count() + " steps");
      }
      next = step;
    }

    @Override
    public void close() {}
  }
}
