package dev.gossamer.moe.router;

import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;

/** Choices that no gate made, for benchmarks and tests; no token visits an expert twice. */
public final class ForcedRouting {
  private ForcedRouting() {}

  /**
   * Every expert gets the same number of slots, up to one, in turn.
   *
   * @param shift begins elsewhere, so that ranks do not all send to the same experts at once
   */
  public static Routing balanced(int tokens, int topK, int experts, int shift) {
    int[] expert = new int[tokens * topK];
    Arrays.setAll(expert, slot -> (int) ((slot + (long) shift * topK) % experts));
    return new Routing(tokens, topK, experts, expert);
  }

  /**
   * Every expert gets the same number of slots, up to one, in random order: one shuffle of all
   * experts after the other.
   */
  public static Routing random(int tokens, int topK, int experts, long seed) {
    int[] expert = new int[tokens * topK];
    int rounds = (expert.length + experts - 1) / experts;
    long[] shuffled;
    try (Scope scope = Scope.open();
        Generator generator = Generator.named("shuffled experts", seed)) {
      shuffled = generator.uniform(rounds, experts).argsort(1, false).toLongs();
    }
    for (int round = 0; round < rounds; round++) {
      int first = round * experts;
      int shared = first % topK; // slots that the round before gave to the token at its end
      keepApart(shuffled, first, shared, shared == 0 ? 0 : topK - shared, experts);
      for (int i = 0; i < experts && first + i < expert.length; i++) {
        expert[first + i] = (int) shuffled[first + i];
      }
    }
    return new Routing(tokens, topK, experts, expert);
  }

  /** Lets the first few of a round differ from the last few of the round before. */
  private static void keepApart(long[] shuffled, int first, int before, int after, int experts) {
    for (int i = first; i < first + after; i++) {
      int from = first + after;
      if (!among(shuffled, first - before, first, shuffled[i])) {
        continue;
      }
      while (among(shuffled, first - before, first, shuffled[from])) {
        from++; // ends within the round, as a token has no more slots than there are experts
      }
      long moved = shuffled[i];
      shuffled[i] = shuffled[from];
      shuffled[from] = moved;
    }
  }

  private static boolean among(long[] values, int from, int to, long value) {
    for (int i = from; i < to; i++) {
      if (values[i] == value) {
        return true;
      }
    }
    return false;
  }

  /**
   * Some experts are more popular than others, the same ones on all ranks: each token takes the
   * highest of {@code deviation * popularity + chance}, both standard normal.
   *
   * @param rank whose tokens these are
   */
  public static Routing biased(
      int tokens, int topK, int experts, double deviation, long seed, int rank) {
    int[] expert = new int[tokens * topK];
    try (Scope scope = Scope.open();
        Generator ofExperts = Generator.named("popularity of experts", seed);
        Generator ofTokens = Generator.named("chance of rank " + rank, seed)) {
      double[] scores =
          ofTokens
              .normal(tokens, experts)
              .add(ofExperts.normal(experts).mul(deviation))
              .toDoubles();
      for (int token = 0; token < tokens; token++) {
        double[] row = Arrays.copyOfRange(scores, token * experts, (token + 1) * experts);
        Router.top(row, topK, expert, token * topK);
      }
    }
    return new Routing(tokens, topK, experts, expert);
  }

  /**
   * Every token to one expert, and to those after it if it visits several: the worst load there is.
   *
   * @throws UsageException if there is no such expert
   */
  public static Routing toOne(int tokens, int topK, int experts, int one) {
    if (one < 0 || one >= experts) {
      throw new UsageException(
          "No expert " + one + " in a layer of " + experts, "Use 0 to " + (experts - 1));
    }
    int[] expert = new int[tokens * topK];
    Arrays.setAll(expert, slot -> (one + slot % topK) % experts);
    return new Routing(tokens, topK, experts, expert);
  }
}
