package dev.gossamer.moe.plan;

/** What a step does. */
public enum Phase {
  /** Forward, backward (twice the operations, as many all-to-alls again), update. */
  TRAIN(3),
  /** Forward alone: a prompt, or with few tokens per rank a step of decoding. */
  FORWARD(1);

  private final int passes;

  Phase(int passes) {
    this.passes = passes;
  }

  /** Operations in units of those of a forward pass. */
  int passes() {
    return passes;
  }
}
