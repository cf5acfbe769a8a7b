package dev.gossamer.moe.parallel;

/**
 * Which rank holds which experts: contiguous ranges.
 *
 * @param bounds first expert of each rank, and the number of experts
 */
public record ExpertPlacement(int[] bounds) {
  /**
   * Spreads experts evenly, the first ranks one more where they do not divide. With fewer experts
   * than ranks some ranks hold none and still take part.
   */
  public static ExpertPlacement even(int experts, int ranks) {
    if (experts < 1 || ranks < 1) {
      throw new IllegalArgumentException(experts + " experts on " + ranks + " ranks");
    }
    int[] bounds = new int[ranks + 1];
    for (int rank = 0; rank <= ranks; rank++) {
      bounds[rank] = rank * (experts / ranks) + Math.min(rank, experts % ranks);
    }
    return new ExpertPlacement(bounds);
  }

  /** The same for neighbouring ranks among themselves: their experts numbered from 0. */
  public ExpertPlacement among(int fromRank, int toRank) {
    int[] some = new int[toRank - fromRank + 1];
    for (int rank = 0; rank < some.length; rank++) {
      some[rank] = bounds[fromRank + rank] - bounds[fromRank];
    }
    return new ExpertPlacement(some);
  }

  public int experts() {
    return bounds[ranks()];
  }

  public int ranks() {
    return bounds.length - 1;
  }

  /** First expert of a rank; {@code first(ranks)} is the end. */
  public int first(int rank) {
    return bounds[rank];
  }

  /** The rank that holds an expert. */
  public int owner(int expert) {
    int rank = 0;
    while (expert >= bounds[rank + 1]) {
      rank++;
    }
    return rank;
  }

  /** Experts of a rank. */
  public int count(int rank) {
    return bounds[rank + 1] - bounds[rank];
  }
}
