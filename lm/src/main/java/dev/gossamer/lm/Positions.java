package dev.gossamer.lm;

/** How a token's place in its sequence reaches the model. */
public enum Positions {
  /** Queries and keys are turned by an angle that grows with the place (rotary, half-split). */
  ROPE,
  /** A learned vector for each place is added to the embedding. */
  LEARNED,
  /** Not at all: the causal mask alone tells the order. */
  NONE
}
