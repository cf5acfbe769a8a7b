package dev.gossamer.moe;

import dev.gossamer.tensor.failure.UsageException;

/**
 * An expert that every token visits.
 *
 * @param inner its inner width; 0 for none
 * @param gated whether each token weighs what it gives by {@code sigmoid(g x)}
 */
public record SharedSettings(int inner, boolean gated) {
  /** No such expert. */
  public static final SharedSettings NONE = new SharedSettings(0, false);

  /**
   * @throws UsageException if there is a gate for nothing, or the width is below 0
   */
  public SharedSettings {
    if (inner < 0 || gated && inner == 0) {
      throw new UsageException(
          "No mixture-of-experts layer has a shared inner width of "
              + inner
              + (gated ? " with a gate" : ""),
          gated ? "Use 1 or more, or no gate" : "Use 0 or more");
    }
  }
}
