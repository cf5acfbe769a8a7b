package dev.gossamer.bench.lm;

import dev.gossamer.tensor.settings.Words;

/** The models that a comparison of structures trains. */
public enum Contestant {
  /** Few wide experts, one for a token; all weights equal those of fine-grained. */
  VANILLA_TOP1,
  /** Likewise, two for a token. */
  VANILLA_TOP2,
  /** What all are compared with. */
  FINE_GRAINED,
  /** BigMac with experts narrowed by what its projections weigh. */
  BIGMAC,
  /** BigMac as in the paper: each expert keeps its weights, the projections come on top. */
  BIGMAC_NOMINAL,
  /** No experts, as many operations for a token as fine-grained. */
  DENSE;

  /** Whether its weights have to equal those of fine-grained. */
  public boolean matched() {
    return this != BIGMAC_NOMINAL && this != DENSE;
  }

  /** As people write it, and its folder. */
  public String word() {
    return Words.of(this);
  }
}
