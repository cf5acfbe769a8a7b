package dev.gossamer.bench.lm;

/** What is timed of a language model. */
public enum Measure {
  /** A step: forward, backward, sums of gradients, the optimiser. */
  TRAINING,
  /** Texts that go on behind a prompt. */
  GENERATION
}
