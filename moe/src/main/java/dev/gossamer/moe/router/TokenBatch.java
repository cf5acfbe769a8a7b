package dev.gossamer.moe.router;

import java.util.Arrays;

/**
 * What the tokens of a call are.
 *
 * @param tokens in all, sequence after sequence
 * @param sequences of equal length
 * @param padding which tokens are padding: they visit no expert and count nowhere
 * @param number of this micro-batch among those of the rank's step, from 0
 */
public record TokenBatch(int tokens, int sequences, boolean[] padding, int number) {
  public TokenBatch {
    padding = padding.clone();
    if (sequences < 1 || tokens % sequences != 0 || padding.length != tokens) {
      throw new IllegalArgumentException(
          tokens + " tokens in " + sequences + " sequences, " + padding.length + " marked");
    }
  }

  /** One sequence without padding. */
  public static TokenBatch of(int tokens) {
    return new TokenBatch(tokens, 1, new boolean[tokens], 0);
  }

  /** Several without padding. */
  public static TokenBatch of(int tokens, int sequences) {
    return new TokenBatch(tokens, sequences, new boolean[tokens], 0);
  }

  /** The same as another of the step's micro-batches. */
  public TokenBatch numbered(int microBatch) {
    return new TokenBatch(tokens, sequences, padding, microBatch);
  }

  public int sequenceLength() {
    return tokens / sequences;
  }

  boolean hasPadding() {
    return valid(0, tokens) < tokens;
  }

  /** Tokens of a range that are none of the padding. */
  int valid(int from, int to) {
    int valid = 0;
    for (int token = from; token < to; token++) {
      valid += padding[token] ? 0 : 1;
    }
    return valid;
  }

  /** 1 for tokens, 0 for padding. */
  double[] mask() {
    double[] mask = new double[tokens];
    Arrays.setAll(mask, token -> padding[token] ? 0 : 1);
    return mask;
  }
}
