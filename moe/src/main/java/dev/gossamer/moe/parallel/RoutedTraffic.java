package dev.gossamer.moe.parallel;

import dev.gossamer.moe.router.Routing;
import java.util.List;

/**
 * What a routing puts on the wire, counted from the routing alone: the formula that the transport's
 * counters have to meet. A row stands for one token on one way of one of the four exchanges of a
 * layer, forward and backward.
 *
 * @param rows that leave their rank in one exchange, those of all ranks together
 * @param copies of tokens that go to another node with a ticket; 0 unless once per node
 */
public record RoutedTraffic(long rows, long copies) {
  private static final int EXCHANGES = 4;

  /**
   * Numbers of a slot that go with a copy: its expert and its weight, and the weight's gradient.
   */
  private static final int TICKET = 3;

  /**
   * Counts.
   *
   * @param ofRanks where the tokens of each rank go
   * @param perNode neighbouring ranks of a node
   */
  public static RoutedTraffic of(
      Dispatch dispatch, List<Routing> ofRanks, ExpertPlacement placement, int perNode) {
    boolean nodes = placement.ranks() > perNode;
    long rows = 0;
    long copies = 0;
    for (int rank = 0; rank < ofRanks.size(); rank++) {
      Routing routing = ofRanks.get(rank);
      int place = rank % perNode;
      int home = rank / perNode;
      if (nodes && dispatch == Dispatch.DEDUPLICATED) {
        int[] ofNodes = NodeDispatch.copies(routing, placement, perNode);
        for (int node = 0; node < ofNodes.length; node++) {
          copies += node == home ? 0 : ofNodes[node];
        }
      }
      for (int expert : routing.expert()) {
        if (expert != Routing.DROPPED) {
          rows += rowsOf(nodes ? dispatch : Dispatch.FLAT, rank, place, placement, expert, perNode);
        }
      }
    }
    return new RoutedTraffic(rows + copies, copies);
  }

  private static int rowsOf(
      Dispatch dispatch, int rank, int place, ExpertPlacement placement, int expert, int perNode) {
    int owner = placement.owner(expert);
    boolean elsewhere = owner % perNode != place; // than the rank of the sender's place in a node
    return switch (dispatch) {
      case FLAT -> owner == rank ? 0 : 1;
      case TWO_LEVEL -> (elsewhere ? 1 : 0) + (owner / perNode == rank / perNode ? 0 : 1);
      case DEDUPLICATED -> elsewhere ? 1 : 0; // from the token's agent; the copy counts apart
    };
  }

  /**
   * Bytes of a layer forward and backward.
   *
   * @param width of a row
   * @param wireBytes of one of its elements
   * @param topK slots of a token
   * @param exactBytes of a number of a ticket
   */
  public long bytes(long width, int wireBytes, int topK, int exactBytes) {
    return EXCHANGES * rows * width * wireBytes + TICKET * copies * topK * exactBytes;
  }
}
