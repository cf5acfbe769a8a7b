package dev.gossamer.moe.router;

import java.util.Arrays;

/** Choices that no gate made, for benchmarks and tests. */
public final class ForcedRouting {
  private ForcedRouting() {}

  /**
   * Every expert gets the same number of slots, up to one, and no token visits an expert twice.
   *
   * @param shift begins elsewhere, so that ranks do not all send to the same experts at once
   */
  public static Routing balanced(int tokens, int topK, int experts, int shift) {
    int[] expert = new int[tokens * topK];
    Arrays.setAll(expert, slot -> (int) ((slot + (long) shift * topK) % experts));
    return new Routing(tokens, topK, experts, expert);
  }

  /** Every token to the same experts: the worst load there is. */
  public static Routing toFirst(int tokens, int topK, int experts) {
    int[] expert = new int[tokens * topK];
    Arrays.setAll(expert, slot -> slot % topK);
    return new Routing(tokens, topK, experts, expert);
  }
}
