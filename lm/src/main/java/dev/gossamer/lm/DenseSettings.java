package dev.gossamer.lm;

import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.tensor.failure.UsageException;

/**
 * The feed-forward network of layers without experts.
 *
 * @param inner width inside
 * @param body plain or gated
 * @param activation between its matrices
 */
public record DenseSettings(int inner, ExpertBody body, ExpertActivation activation) {
  /**
   * @throws UsageException if it has no width
   */
  public DenseSettings {
    if (inner < 1) {
      throw new UsageException("No feed-forward network has inner width " + inner, "Use 1 or more");
    }
  }
}
