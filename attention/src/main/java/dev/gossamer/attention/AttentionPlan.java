package dev.gossamer.attention;

import java.util.Set;

/**
 * What an {@link AttentionMethod} learns of a video before it begins.
 *
 * @param layers self-attentions of the transformer
 * @param branches passes per step: 2 with classifier-free guidance (0 prompt, 1 negative), else 1
 * @param steps denoising steps
 * @param grid roles of the tokens
 * @param seed seed of the video
 * @param explained steps whose cluster labels the report keeps
 * @param recallRows queries of each head from which the report estimates recall, at the price of so
 *     many exact rows; 0 leaves recall out
 */
public record AttentionPlan(
    int layers,
    int branches,
    int steps,
    TokenGrid grid,
    long seed,
    Set<Integer> explained,
    int recallRows) {
  /** Rows of a head that estimate recall well enough for a report: layers and steps are many. */
  public static final int FEW_ROWS = 16;

  public AttentionPlan {
    if (layers < 1 || branches < 1 || steps < 1 || recallRows < 0) {
      throw new IllegalArgumentException(
          "No plan: "
              + layers
              + " layers, "
              + branches
              + " branches, "
              + steps
              + " steps, "
              + recallRows
              + " rows for recall");
    }
    explained = Set.copyOf(explained);
  }

  /** Whether the report estimates recall. */
  public boolean measureRecall() {
    return recallRows > 0;
  }
}
