package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.Dispatch;

/**
 * What one rank sends in one all-to-all, for uniform routing.
 *
 * @param interRowsPerToken rows of a token that cross to other nodes
 * @param intraRowsPerToken rows of a token that go to other ranks of the same node
 * @param interMessages messages to ranks of other nodes
 * @param intraMessages messages to ranks of the same node
 */
public record WireTraffic(
    double interRowsPerToken, double intraRowsPerToken, int interMessages, int intraMessages) {

  /**
   * Rows and messages of a dispatch; the combine sends the same back.
   *
   * <ul>
   *   <li>flat: {@code k (P-m)/P} rows leave the node, {@code k (m-1)/P} stay in it;
   *   <li>two-level: as many leave; before that all rows are sorted by place inside the node,
   *       {@code k (m-1)/m};
   *   <li>deduplicated: a token leaves once for each other node that holds one of its experts,
   *       {@code d (n-1)/n}, and its {@code k} copies are made where it arrives.
   * </ul>
   */
  public static WireTraffic of(Placement group, Dispatch dispatch, int experts, int topK) {
    int perNode = group.perNode();
    int nodes = group.nodes();
    double sortedInside = (double) topK * (perNode - 1) / perNode;
    return switch (dispatch) {
      case FLAT ->
          new WireTraffic(
              topK * group.interShare(),
              topK * group.intraShare(),
              group.ranks() - perNode,
              perNode - 1);
      case TWO_LEVEL ->
          new WireTraffic(topK * group.interShare(), sortedInside, nodes - 1, perNode - 1);
      case DEDUPLICATED ->
          new WireTraffic(
              group.distinctNodes(experts, topK) * (nodes - 1) / nodes,
              sortedInside,
              nodes - 1,
              perNode - 1);
    };
  }

  public static WireTraffic of(Placement group, Dispatch dispatch, MoeStructure structure) {
    return of(group, dispatch, structure.experts(), structure.topK());
  }
}
