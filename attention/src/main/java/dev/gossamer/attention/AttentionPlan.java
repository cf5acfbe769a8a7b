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
 * @param measureRecall whether the report estimates recall, at the price of some exact rows
 */
public record AttentionPlan(
    int layers,
    int branches,
    int steps,
    TokenGrid grid,
    long seed,
    Set<Integer> explained,
    boolean measureRecall) {
  public AttentionPlan {
    if (layers < 1 || branches < 1 || steps < 1) {
      throw new IllegalArgumentException(
          "No plan: " + layers + " layers, " + branches + " branches, " + steps + " steps");
    }
    explained = Set.copyOf(explained);
  }
}
