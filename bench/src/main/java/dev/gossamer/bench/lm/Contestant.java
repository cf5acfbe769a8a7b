package dev.gossamer.bench.lm;

import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.tensor.settings.Words;
import java.util.List;

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
  DENSE,
  /** BigMac with half as wide a latent: half the bytes on the wire. */
  BIGMAC_NARROWER,
  /** BigMac with a latent half as wide again. */
  BIGMAC_WIDER,
  /** BigMac that normalises the combined narrow rows before they ascend. */
  BIGMAC_LATENT_NORM,
  /** BigMac whose gate reads the narrow tokens. */
  BIGMAC_LATENT_GATE,
  /** BigMac whose branch starts as large as that of the other structures. */
  BIGMAC_LEVEL,
  /** BigMac that spends what the wire saves on more experts, and more of them for a token. */
  BIGMAC_REINVEST;

  /** Those of the protocol; the others are BigMac with one change each. */
  public static List<Contestant> protocol() {
    return List.of(VANILLA_TOP1, VANILLA_TOP2, FINE_GRAINED, BIGMAC, BIGMAC_NOMINAL, DENSE);
  }

  /** Whether its weights have to equal those of fine-grained. */
  public boolean matched() {
    return this != BIGMAC_NOMINAL && this != BIGMAC_REINVEST && this != DENSE;
  }

  /** Whether its tokens travel at a narrow width. */
  boolean isBigMac() {
    return switch (this) {
      case VANILLA_TOP1, VANILLA_TOP2, FINE_GRAINED, DENSE -> false;
      default -> true;
    };
  }

  /** Latent width over that of BigMac. */
  double latentScale() {
    return switch (this) {
      case BIGMAC_NARROWER -> 0.5;
      case BIGMAC_WIDER -> 1.5;
      default -> 1;
    };
  }

  /** What BigMac's experts have in common with fine-grained ones. */
  Match match() {
    return switch (this) {
      case BIGMAC_NOMINAL -> Match.NOMINAL;
      case BIGMAC_REINVEST -> Match.REINVEST;
      default -> Match.PARAMS;
    };
  }

  /** As people write it, and its folder. */
  public String word() {
    return Words.of(this);
  }
}
