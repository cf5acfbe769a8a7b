package dev.gossamer.lm;

import dev.gossamer.tensor.failure.UsageException;

/** Causal self-attention of a layer. */
public sealed interface AttentionSettings {
  /** Heads of queries. */
  int heads();

  /** Where tokens stand. */
  Positions positions();

  /** How rotary positions turn, if positions are rotary. */
  Rotary rotary();

  /** Width of that part of a head which rotary positions turn. */
  int rotaryWidth();

  /** Numbers that a cache keeps of a token. */
  int cached();

  /** As many heads of keys as of queries, rotary positions. */
  static Grouped of(int heads, int headDim) {
    return new Grouped(heads, heads, headDim, Positions.ROPE, Rotary.plain(10_000), false, false);
  }

  /**
   * Heads with keys and values of their own, or some neighbouring heads with the same.
   *
   * @param kvHeads of keys and values; each serves {@code heads / kvHeads} neighbouring query heads
   * @param headDim width of a head
   * @param bias whether queries, keys and values have biases
   * @param headNorm whether queries and keys are normalised head by head
   */
  record Grouped(
      int heads,
      int kvHeads,
      int headDim,
      Positions positions,
      Rotary rotary,
      boolean bias,
      boolean headNorm)
      implements AttentionSettings {
    /**
     * @throws UsageException if the numbers do not fit
     */
    public Grouped {
      requireSizes(heads, headDim);
      require(
          kvHeads >= 1 && heads % kvHeads == 0,
          kvHeads + " heads of keys for " + heads + " of queries",
          "Use a number that divides the heads");
      require(
          positions != Positions.ROPE || headDim % 2 == 0,
          "rotary positions in heads of width " + headDim,
          "Use an even width");
    }

    @Override
    public int rotaryWidth() {
      return headDim;
    }

    @Override
    public int cached() {
      return 2 * kvHeads * headDim;
    }

    public Grouped withPositions(Positions value) {
      return new Grouped(heads, kvHeads, headDim, value, rotary, bias, headNorm);
    }

    public Grouped withKvHeads(int value) {
      return new Grouped(heads, value, headDim, positions, rotary, bias, headNorm);
    }

    public Grouped withExtras(boolean biases, boolean norms) {
      return new Grouped(heads, kvHeads, headDim, positions, rotary, biases, norms);
    }
  }

  /**
   * Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): keys and values of all heads are
   * made of one narrow row for each token, and that row is all that a cache keeps, together with a
   * rotary part of the keys that all heads share.
   *
   * @param queryRank width to which queries are narrowed on their way; 0 if they are not
   * @param rank width of the row that keys and values are made of
   * @param plainDim width of a head's queries and keys without positions
   * @param rotaryDim width of their rotary part
   * @param valueDim width of a head's values
   * @param scoreScale factor on the scores beside one over the root of a head's width
   */
  record Latent(
      int heads,
      int queryRank,
      int rank,
      int plainDim,
      int rotaryDim,
      int valueDim,
      Rotary rotary,
      double scoreScale)
      implements AttentionSettings {
    /**
     * @throws UsageException if the numbers do not fit
     */
    public Latent {
      requireSizes(heads, plainDim);
      require(queryRank >= 0, "queries of rank " + queryRank, "Use 0 or more");
      require(rank >= 1, "keys and values of rank " + rank, "Use 1 or more");
      require(valueDim >= 1, "values of width " + valueDim, "Use 1 or more");
      require(
          rotaryDim >= 2 && rotaryDim % 2 == 0,
          "a rotary part of width " + rotaryDim,
          "Use an even width");
      require(scoreScale > 0, "scores times " + scoreScale, "Use a number above 0");
    }

    @Override
    public Positions positions() {
      return Positions.ROPE;
    }

    @Override
    public int rotaryWidth() {
      return rotaryDim;
    }

    @Override
    public int cached() {
      return rank + rotaryDim;
    }

    /** Width of a head's queries and keys. */
    public int headDim() {
      return plainDim + rotaryDim;
    }
  }

  private static void requireSizes(int heads, int width) {
    require(heads >= 1, heads + " heads", "Use 1 or more");
    require(width >= 1, "heads of width " + width, "Use 1 or more");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No attention has " + found, remedy);
    }
  }
}
