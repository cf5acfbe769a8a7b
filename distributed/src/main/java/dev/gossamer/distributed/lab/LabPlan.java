package dev.gossamer.distributed.lab;

import dev.gossamer.tensor.failure.UsageException;

/**
 * A cluster to build.
 *
 * @param nodes machines to stand for
 * @param perNode ranks of each
 * @param link what joins each host to the others
 * @param layout whether nodes or ranks are hosts
 */
public record LabPlan(int nodes, int perNode, LinkShape link, Layout layout) {
  /** Each is a process, on one machine. */
  private static final int MOST_RANKS = 128;

  public LabPlan {
    if (nodes < 1 || perNode < 1 || (long) nodes * perNode > MOST_RANKS) {
      throw new UsageException(
          "Cannot build a lab of " + nodes + " nodes with " + perNode + " ranks each",
          "Ask for at least one of each, and at most " + MOST_RANKS + " ranks in all");
    }
  }

  /** Namespaces with a link of their own. */
  public int hosts() {
    return layout == Layout.FLAT ? nodes * perNode : nodes;
  }

  /** Ranks in each namespace. */
  public int ranksPerHost() {
    return layout == Layout.FLAT ? 1 : perNode;
  }

  public int ranks() {
    return nodes * perNode;
  }
}
