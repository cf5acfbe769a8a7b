package dev.gossamer.attention;

import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * What an {@link AttentionMethod} learns of a video before it begins.
 *
 * @param layers self-attentions of the transformer
 * @param grids roles of the tokens in each pass of a step: two passes with classifier-free guidance
 *     (0 prompt, 1 negative), else one; they differ where texts of different length are among them
 * @param steps denoising steps
 * @param seed seed of the video
 * @param explained steps whose cluster labels the report keeps
 * @param recallRows queries of each head from which the report estimates recall, at the price of so
 *     many exact rows; 0 leaves recall out
 */
public record AttentionPlan(
    int layers,
    List<TokenGrid> grids,
    int steps,
    long seed,
    Set<Integer> explained,
    int recallRows) {
  /** Rows of a head that estimate recall well enough for a report: layers and steps are many. */
  public static final int FEW_ROWS = 16;

  public AttentionPlan {
    grids = List.copyOf(grids);
    if (layers < 1 || grids.isEmpty() || steps < 1 || recallRows < 0) {
      throw new IllegalArgumentException(
          "No plan: "
              + layers
              + " layers, "
              + grids.size()
              + " branches, "
              + steps
              + " steps, "
              + recallRows
              + " rows for recall");
    }
    explained = Set.copyOf(explained);
  }

  /**
   * A plan whose passes have equal tokens.
   *
   * @param branches passes per step
   * @param grid roles of the tokens in each
   */
  public AttentionPlan(
      int layers,
      int branches,
      int steps,
      TokenGrid grid,
      long seed,
      Set<Integer> explained,
      int recallRows) {
    this(
        layers,
        Collections.nCopies(Math.max(0, branches), grid),
        steps,
        seed,
        explained,
        recallRows);
  }

  /** Passes per step. */
  public int branches() {
    return grids.size();
  }

  /** Roles of the tokens in one pass of each step. */
  public TokenGrid grid(int branch) {
    return grids.get(branch);
  }

  /** Whether the report estimates recall. */
  public boolean measureRecall() {
    return recallRows > 0;
  }
}
