package dev.gossamer.moe.plan;

import dev.gossamer.tensor.failure.UsageException;

/**
 * Where the ranks of one expert-parallel group are.
 *
 * @param ranks ranks of the group, {@code P}
 * @param perNode how many of them share a node, {@code m}
 */
public record Placement(int ranks, int perNode) {
  public Placement {
    if (ranks < 1 || perNode < 1 || ranks % perNode != 0) {
      throw new UsageException(
          ranks + " ranks with " + perNode + " per node do not fill nodes",
          "Use a multiple of the ranks per node, or a divisor of it");
    }
  }

  /** Nodes that the group spans, {@code n}. */
  public int nodes() {
    return ranks / perNode;
  }

  /** Probability that a row leaves its node when every rank is as likely as any other. */
  double interShare() {
    return (double) (ranks - perNode) / ranks;
  }

  /** Probability that a row goes to another rank of its own node. */
  double intraShare() {
    return (double) (perNode - 1) / ranks;
  }

  /**
   * Expected number of nodes that hold at least one of {@code topK} different experts drawn at
   * random. With experts spread evenly that is {@code n (1 - C(E - E/n, k) / C(E, k))}; here the
   * first {@code E mod P} ranks hold one more.
   */
  public double distinctNodes(int experts, int topK) {
    double distinct = 0;
    for (int node = 0; node < nodes(); node++) {
      double noneHere = 1;
      int here = experts(experts, node);
      for (int drawn = 0; drawn < topK; drawn++) {
        noneHere *= Math.max(0, (double) (experts - here - drawn) / (experts - drawn));
      }
      distinct += 1 - noneHere;
    }
    return distinct;
  }

  private int experts(int experts, int node) {
    int first = node * perNode;
    int more = Math.min(perNode, Math.max(0, experts % ranks - first));
    return experts / ranks * perNode + more;
  }
}
