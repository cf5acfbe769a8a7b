package dev.gossamer.moe.router;

import dev.gossamer.tensor.failure.BadInputException;
import java.util.Arrays;

/**
 * Where tokens go: a slot per token and choice, in the order of falling score.
 *
 * @param tokens number of tokens
 * @param topK slots of a token
 * @param experts number of experts
 * @param expert {@code [tokens * topK]} expert of each slot, {@link #DROPPED} where capacity ran
 *     out
 */
public record Routing(int tokens, int topK, int experts, int[] expert) {
  /** In place of an expert: the slot contributes nothing. */
  public static final int DROPPED = -1;

  /**
   * @throws BadInputException if the slots do not fit, as a recorded routing of another run
   */
  public Routing {
    if (expert.length != tokens * topK) {
      throw new BadInputException(
          expert.length + " routed slots do not fit " + tokens + " tokens with top-" + topK,
          "Use the routing of a run with the same tokens");
    }
    for (int one : expert) {
      if (one < DROPPED || one >= experts) {
        throw new BadInputException(
            "A token is routed to expert " + one + " of " + experts, "Use experts from 0");
      }
    }
  }

  /** Slots of each expert, those dropped left out. */
  public int[] counts() {
    int[] counts = new int[experts];
    for (int one : expert) {
      if (one != DROPPED) {
        counts[one]++;
      }
    }
    return counts;
  }

  /** The routing of some tokens. */
  public Routing part(int fromToken, int toToken) {
    int[] some = Arrays.copyOfRange(expert, fromToken * topK, toToken * topK);
    return new Routing(toToken - fromToken, topK, experts, some);
  }

  /** Share of the slots that capacity dropped. */
  public double dropRate() {
    int dropped = 0;
    for (int one : expert) {
      dropped += one == DROPPED ? 1 : 0;
    }
    return expert.length == 0 ? 0 : dropped / (double) expert.length;
  }
}
