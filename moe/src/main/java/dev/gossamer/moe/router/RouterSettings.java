package dev.gossamer.moe.router;

import dev.gossamer.tensor.failure.UsageException;

/**
 * How tokens choose experts and how their load is kept even.
 *
 * @param scores what scores are made of logits
 * @param normalise whether the weights of a token's choices add up to {@code scaling}
 * @param scaling factor on the weights
 * @param groups of experts, of which a token may visit some
 * @param balance weight of the auxiliary loss, 0 for none
 * @param scope over which tokens the auxiliary loss counts
 * @param zLoss weight of the squared log-sum-exp of the logits, 0 for none
 * @param capacity factor on an even share that an expert takes at most; infinite for dropless
 * @param drop which slots go first when an expert is full
 */
public record RouterSettings(
    Scores scores,
    boolean normalise,
    double scaling,
    Groups groups,
    double balance,
    Scope scope,
    double zLoss,
    double capacity,
    Drop drop) {
  /** What scores are made of logits. */
  public enum Scores {
    /** Softmax over all experts; normalised over the chosen it is a softmax over those. */
    SOFTMAX,
    /**
     * Sigmoid, with a bias per expert that takes part in the choice and not in the weight, and that
     * moves against the load after each step (loss-free balancing).
     */
    SIGMOID
  }

  /** Over which tokens the auxiliary loss counts. */
  public enum Scope {
    /** This rank's tokens of the call. */
    MICRO,
    /** Each sequence by itself, then the mean. */
    SEQUENCE,
    /** Choices are counted over all ranks, probabilities over this rank's. */
    GLOBAL
  }

  /** Which slots an overfull expert loses. */
  public enum Drop {
    /** Those with the smallest weight. */
    LOWEST_WEIGHT,
    /** The latest in the sequence. */
    LATEST
  }

  /**
   * Equal contiguous groups of experts, of which a token visits only the best.
   *
   * @param count of all groups; 1 for no such limit
   * @param top how many a token may visit
   * @param best how many of its highest scores are summed to rate a group
   */
  public record Groups(int count, int top, int best) {
    /** All experts in one. */
    public static final Groups NONE = new Groups(1, 1, 1);

    public Groups {
      require(count >= 1, count + " groups", "Use 1 or more");
      require(top >= 1 && top <= count, top + " of " + count + " groups", "Use 1 to " + count);
      require(best >= 1, "groups rated by " + best + " experts", "Use 1 or more");
    }
  }

  /** Softmax over the chosen, global auxiliary loss of 0.001, dropless. */
  public static final RouterSettings DEFAULT =
      new RouterSettings(
          Scores.SOFTMAX,
          true,
          1,
          Groups.NONE,
          0.001,
          Scope.GLOBAL,
          0,
          Double.POSITIVE_INFINITY,
          Drop.LOWEST_WEIGHT);

  /** As in BigMac's experiments: micro-batch auxiliary loss, capacity 1.2. */
  public static final RouterSettings PAPER =
      DEFAULT.withScope(Scope.MICRO).withCapacity(1.2, Drop.LOWEST_WEIGHT);

  /**
   * @throws UsageException if a value is out of its range
   */
  public RouterSettings {
    require(scaling > 0, "a scaling of " + scaling, "Use a number above 0");
    require(balance >= 0, "an auxiliary loss of " + balance, "Use 0 or more");
    require(zLoss >= 0, "a z-loss of " + zLoss, "Use 0 or more");
    require(capacity > 0, "a capacity of " + capacity, "Use a number above 0, or infinity");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No router has " + found, remedy);
    }
  }

  public RouterSettings withScores(Scores value, boolean normalised, double scale) {
    return new RouterSettings(
        value, normalised, scale, groups, balance, scope, zLoss, capacity, drop);
  }

  public RouterSettings withGroups(Groups value) {
    return new RouterSettings(
        scores, normalise, scaling, value, balance, scope, zLoss, capacity, drop);
  }

  public RouterSettings withBalance(double weight) {
    return new RouterSettings(
        scores, normalise, scaling, groups, weight, scope, zLoss, capacity, drop);
  }

  public RouterSettings withScope(Scope value) {
    return new RouterSettings(
        scores, normalise, scaling, groups, balance, value, zLoss, capacity, drop);
  }

  public RouterSettings withZLoss(double weight) {
    return new RouterSettings(
        scores, normalise, scaling, groups, balance, scope, weight, capacity, drop);
  }

  public RouterSettings withCapacity(double factor, Drop policy) {
    return new RouterSettings(
        scores, normalise, scaling, groups, balance, scope, zLoss, factor, policy);
  }
}
