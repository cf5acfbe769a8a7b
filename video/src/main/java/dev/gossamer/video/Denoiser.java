package dev.gossamer.video;

import dev.gossamer.tensor.Tensor;

/**
 * A model's transformer, set up for one video: its prompts, its size, its attentions. The loop
 * around it combines the branches and lets the scheduler take the step.
 */
public interface Denoiser extends AutoCloseable {
  /** Predictions per step: 1, or 2 with classifier-free guidance (0 prompt, 1 negative). */
  int branches();

  /**
   * The transformer's prediction. Different branches of one step may be asked for on different
   * threads at the same time.
   *
   * @param latents {@link VideoModel#latentShape} float32
   * @param timestep what the scheduler gave for this step
   * @param step from 0
   * @param branch from 0
   * @return the latents' shape, in the type in which guidance combines branches, in the current
   *     scope
   */
  Tensor predict(Tensor latents, double timestep, int step, int branch);

  /** Weight of the prompt against the negative in this step; only asked for with 2 branches. */
  double guidance(int step, double timestep);

  /** Frees what was made for this video; the model's weights stay. */
  @Override
  void close();
}
