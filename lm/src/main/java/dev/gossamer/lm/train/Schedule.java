package dev.gossamer.lm.train;

/** How the learning rate goes after it has warmed up. */
public enum Schedule {
  /** Down along half a cosine. */
  COSINE,
  /** Down along a line. */
  LINEAR,
  /**
   * It stays, and goes down along a line in the last part of the steps (warm-up, stable, decay).
   */
  WSD,
  /** It stays. */
  CONSTANT
}
