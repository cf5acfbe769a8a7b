package dev.gossamer.video;

/** How long a model's weights stay in memory. */
public enum Residency {
  /** All parts at once if they fit, else one at a time. */
  AUTO,
  /** Every part stays once it was used: the fastest for many videos. */
  KEEP,
  /** A part is freed before the next is loaded: the smallest. */
  STAGED
}
