package dev.gossamer.moe.parallel;

/**
 * Which rank holds which experts: contiguous ranges, the first ranks one more where they do not
 * divide. With fewer experts than ranks some ranks hold none and still take part.
 *
 * @param experts of the layer
 * @param ranks that share them
 */
public record ExpertPlacement(int experts, int ranks) {
  public ExpertPlacement {
    if (experts < 1 || ranks < 1) {
      throw new IllegalArgumentException(experts + " experts on " + ranks + " ranks");
    }
  }

  /** First expert of a rank; {@code first(ranks)} is the end. */
  public int first(int rank) {
    return rank * (experts / ranks) + Math.min(rank, experts % ranks);
  }

  /** Experts of a rank. */
  public int count(int rank) {
    return first(rank + 1) - first(rank);
  }
}
