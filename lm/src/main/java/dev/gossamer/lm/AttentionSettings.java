package dev.gossamer.lm;

import dev.gossamer.tensor.failure.UsageException;

/**
 * Causal self-attention of a layer.
 *
 * @param heads of queries
 * @param kvHeads of keys and values; each serves {@code heads / kvHeads} neighbouring query heads
 * @param headDim width of a head
 * @param positions where tokens stand
 * @param ropeTheta slowest wave length of rotary positions over 2 pi
 * @param bias whether queries, keys and values have biases
 * @param headNorm whether queries and keys are normalised head by head
 */
public record AttentionSettings(
    int heads,
    int kvHeads,
    int headDim,
    Positions positions,
    double ropeTheta,
    boolean bias,
    boolean headNorm) {
  /**
   * @throws UsageException if the numbers do not fit
   */
  public AttentionSettings {
    require(heads >= 1, heads + " heads", "Use 1 or more");
    require(
        kvHeads >= 1 && heads % kvHeads == 0,
        kvHeads + " heads of keys for " + heads + " of queries",
        "Use a number that divides the heads");
    require(headDim >= 1, "heads of width " + headDim, "Use 1 or more");
    require(
        positions != Positions.ROPE || headDim % 2 == 0,
        "rotary positions in heads of width " + headDim,
        "Use an even width");
    require(ropeTheta > 1, "a rotary theta of " + ropeTheta, "Use a number above 1");
  }

  /** As many heads of keys as of queries, rotary positions. */
  public static AttentionSettings of(int heads, int headDim) {
    return new AttentionSettings(heads, heads, headDim, Positions.ROPE, 10_000, false, false);
  }

  public AttentionSettings withPositions(Positions value) {
    return new AttentionSettings(heads, kvHeads, headDim, value, ropeTheta, bias, headNorm);
  }

  public AttentionSettings withKvHeads(int value) {
    return new AttentionSettings(heads, value, headDim, positions, ropeTheta, bias, headNorm);
  }

  public AttentionSettings withExtras(boolean biases, boolean norms) {
    return new AttentionSettings(heads, kvHeads, headDim, positions, ropeTheta, biases, norms);
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No attention has " + found, remedy);
    }
  }
}
