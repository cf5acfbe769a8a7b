package dev.gossamer.lm;

/** How rows are normalised before each branch. */
public enum NormKind {
  /** By their root mean square, with a weight. */
  RMS,
  /** By mean and variance, with weight and bias. */
  LAYER
}
