package dev.gossamer.moe.parallel;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.ArrayList;
import java.util.List;

/** The ranks that share a layer's experts, and the ways between them. */
public final class ExpertParallel {
  private final RankGrid grid;
  private final Dispatch dispatch;
  private final ExpertPlacement placement;
  private final long receiveLimit;
  private final Travel travel;

  /**
   * @param grid the ranks, and which of them are neighbours
   * @param experts of the layer
   * @param receiveLimit rows that a rank takes at once
   * @param wire type of rows that travel
   * @param compute type in which they are computed with
   * @param device where rows are
   * @param threads over which rows are gathered and summed
   * @param clock is told what takes how long
   */
  public ExpertParallel(
      RankGrid grid,
      Dispatch dispatch,
      int experts,
      long receiveLimit,
      DType wire,
      DType compute,
      Device device,
      Threads threads,
      PhaseClock clock) {
    this.grid = grid;
    // Inside one node there is nothing to save.
    this.dispatch = grid.nodes() == 1 ? Dispatch.FLAT : dispatch;
    this.placement = ExpertPlacement.even(experts, grid.world().size());
    this.receiveLimit = receiveLimit;
    this.travel = new Travel(wire, compute, device, threads, clock);
  }

  public Communicator ranks() {
    return grid.world();
  }

  public ExpertPlacement placement() {
    return placement;
  }

  /**
   * Plans the ways of a rank's tokens, in one exchange of counts: how many rows everybody sends to
   * every expert. Every rank calls it.
   *
   * @param layer its name, for messages
   * @param weights {@code [tokens, topK]} in the computing type
   * @param parts of equally many tokens, which can travel while others are computed
   * @throws GossamerException on every rank, if one of them would receive more than it takes
   */
  public List<TokenDispatch> plan(String layer, Routing routing, Tensor weights, int parts) {
    int experts = placement.experts();
    int nodes = dispatch == Dispatch.DEDUPLICATED ? grid.nodes() : 0;
    int tokens = routing.tokens();
    Routing[] routings = new Routing[parts];
    int[] own = new int[parts * (experts + nodes)];
    for (int part = 0; part < parts; part++) {
      routings[part] = routing.part(start(tokens, part, parts), start(tokens, part + 1, parts));
      int at = part * (experts + nodes);
      System.arraycopy(routings[part].counts(), 0, own, at, experts);
      if (nodes > 0) {
        int[] copies = NodeDispatch.copies(routings[part], placement, grid.perNode());
        System.arraycopy(copies, 0, own, at + experts, nodes);
      }
    }
    Communicator world = grid.world();
    int[] gathered =
        travel.timed(Phase.EXCHANGE, () -> world.allGather(Tensor.of(own, own.length)).toInts());
    List<TokenDispatch> ways = new ArrayList<>();
    for (int part = 0; part < parts; part++) {
      int[][] counts = new int[world.size()][experts];
      int[][] copies = new int[world.size()][nodes];
      for (int rank = 0; rank < world.size(); rank++) {
        int at = rank * own.length + part * (experts + nodes);
        System.arraycopy(gathered, at, counts[rank], 0, experts);
        System.arraycopy(gathered, at + experts, copies[rank], 0, nodes);
      }
      requireRoom(layer, counts);
      int from = start(tokens, part, parts);
      Tensor some = weights.narrow(0, from, start(tokens, part + 1, parts) - from);
      ways.add(way(routings[part], some, counts, copies));
    }
    return ways;
  }

  /** The first token of a part. */
  public static int start(int tokens, int part, int parts) {
    return (int) ((long) tokens * part / parts);
  }

  private TokenDispatch way(Routing routing, Tensor weights, int[][] counts, int[][] copies) {
    return switch (dispatch) {
      case FLAT ->
          new FlatDispatch(
              RowCarrier.inOneStep(grid.world()), travel, routing, weights, counts, placement);
      case TWO_LEVEL ->
          new FlatDispatch(
              RowCarrier.inTwoSteps(grid), travel, routing, weights, counts, placement);
      case DEDUPLICATED -> new NodeDispatch(grid, travel, routing, weights, copies, placement);
    };
  }

  /** Known to all ranks from the counts, so that all stop and none waits for another. */
  private void requireRoom(String layer, int[][] counts) {
    for (int rank = 0; rank < placement.ranks(); rank++) {
      long rows = 0;
      long most = -1;
      int busiest = 0;
      for (int expert = placement.first(rank); expert < placement.first(rank + 1); expert++) {
        long ofExpert = 0;
        for (int[] ofRank : counts) {
          ofExpert += ofRank[expert];
        }
        rows += ofExpert;
        if (ofExpert > most) {
          most = ofExpert;
          busiest = expert;
        }
      }
      if (rows > receiveLimit) {
        throw new GossamerException(
            String.format(
                "In %s rank %d would receive %d rows, %d of them for expert %d, and takes %d",
                layer, rank, rows, most, busiest, receiveLimit),
            "Balance the router, limit its capacity, use fewer tokens or raise the limit");
      }
    }
  }
}
