package dev.gossamer.moe.parallel;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * A token once to each node that holds one of its experts, whatever their number there, to the rank
 * of its own place; from that rank, the token's agent, a row for every slot inside the node. The
 * agent weighs and sums what the node's experts gave, and one row goes home. Gradients take the
 * same ways.
 *
 * <p>With a token go its ticket, the experts that it wants in that node and their weights, and with
 * its gradient that of the weights.
 */
final class NodeDispatch implements TokenDispatch {
  private final RankGrid grid;
  private final Travel travel;
  private final Routing routing;
  private final Tensor weights;
  private final ExpertPlacement placement; // of all experts
  private final int[] owners; // of each copy that leaves, its token; node by node
  private final long[] leaving; // copies for each node
  private final long[] arriving; // copies from each node
  private final Tensor index; // owners
  private FlatDispatch inside;
  private long width;
  private Tensor rows; // that arrive
  private Tensor tickets;
  private Pending rowsPending;
  private Pending ticketsPending;
  private Tensor home;
  private Tensor homeWeights;
  private boolean back;

  /**
   * @param routing of this part's tokens
   * @param weights {@code [tokens, topK]} in the computing type
   * @param copies of every rank's tokens for each node: {@code [ranks][nodes]}
   */
  NodeDispatch(
      RankGrid grid,
      Travel travel,
      Routing routing,
      Tensor weights,
      int[][] copies,
      ExpertPlacement placement) {
    this.grid = grid;
    this.travel = travel;
    this.routing = routing;
    this.weights = weights;
    this.placement = placement;
    this.leaving = new long[grid.nodes()];
    this.arriving = new long[grid.nodes()];
    int all = 0;
    for (int node = 0; node < grid.nodes(); node++) {
      leaving[node] = copies[grid.world().rank()][node];
      arriving[node] = copies[node * grid.perNode() + grid.place()][grid.nodeIndex()];
      all += copies[grid.world().rank()][node];
    }
    this.owners = new int[all];
    int copy = 0;
    for (int node = 0; node < grid.nodes(); node++) {
      for (int token = 0; token < routing.tokens(); token++) {
        if (visits(routing, token, firstExpert(node), firstExpert(node + 1))) {
          owners[copy++] = token;
        }
      }
    }
    this.index = travel.index(owners);
  }

  /** How many of the tokens each node gets. */
  static int[] copies(Routing routing, ExpertPlacement placement, int perNode) {
    int[] copies = new int[placement.ranks() / perNode];
    for (int node = 0; node < copies.length; node++) {
      int from = placement.first(node * perNode);
      int to = placement.first((node + 1) * perNode);
      for (int token = 0; token < routing.tokens(); token++) {
        copies[node] += visits(routing, token, from, to) ? 1 : 0;
      }
    }
    return copies;
  }

  private static boolean visits(Routing routing, int token, int fromExpert, int toExpert) {
    for (int slot = token * routing.topK(); slot < (token + 1) * routing.topK(); slot++) {
      int expert = routing.expert()[slot];
      if (expert >= fromExpert && expert < toExpert) {
        return true;
      }
    }
    return false;
  }

  private int firstExpert(int node) {
    return placement.first(node * grid.perNode());
  }

  @Override
  public void depart(Tensor tokens) {
    width = tokens.size(1);
    Tensor sentTickets = travel.timed(Phase.ROUTE, this::written);
    tickets = travel.room(travel.exact(), sum(arriving), 2L * routing.topK());
    ticketsPending = begin(tickets, arriving, sentTickets, leaving);
    sendRows(tokens);
  }

  private void sendRows(Tensor ofTokens) {
    RowView copies = new RowView(ofTokens, index, null, travel.compute());
    Tensor sent =
        travel.timed(
            Phase.PERMUTE, () -> copies.gathered(owners.length, travel.wire(), travel.threads()));
    rows = travel.room(travel.wire(), sum(arriving), width);
    rowsPending = begin(rows, arriving, sent, leaving);
  }

  /** For each copy the experts that it wants, numbered within the node or -1, and their weights. */
  private Tensor written() {
    int topK = routing.topK();
    double[] weight = weights.toDoubles();
    double[] lines = new double[owners.length * 2 * topK];
    int copy = 0;
    for (int node = 0; node < grid.nodes(); node++) {
      for (long i = 0; i < leaving[node]; i++, copy++) {
        for (int k = 0; k < topK; k++) {
          int slot = owners[copy] * topK + k;
          int expert = routing.expert()[slot];
          boolean here = expert >= firstExpert(node) && expert < firstExpert(node + 1);
          lines[copy * 2 * topK + k] = here ? expert - firstExpert(node) : Routing.DROPPED;
          lines[copy * 2 * topK + topK + k] = here ? weight[slot] : 0;
        }
      }
    }
    return Tensor.of(lines, owners.length, 2L * topK).to(travel.exact()).to(travel.device());
  }

  @Override
  public RowView arrive() {
    await(ticketsPending);
    await(rowsPending);
    int topK = routing.topK();
    int copies = (int) rows.size(0);
    Communicator node = grid.node();
    int from = grid.nodeIndex() * grid.perNode();
    ExpertPlacement here = placement.among(from, from + grid.perNode());
    int[] expert = tickets.narrow(1, 0, topK).contiguous().to(DType.INT32).toInts();
    Routing wanted = new Routing(copies, topK, here.experts(), expert);
    int[] own = wanted.counts();
    int[] gathered =
        travel.timed(Phase.EXCHANGE, () -> node.allGather(Tensor.of(own, own.length)).toInts());
    int[][] counts = new int[node.size()][own.length];
    for (int peer = 0; peer < counts.length; peer++) {
      System.arraycopy(gathered, peer * own.length, counts[peer], 0, own.length);
    }
    Tensor weighed = tickets.narrow(1, topK, topK).to(travel.compute()).contiguous();
    inside = new FlatDispatch(RowCarrier.inOneStep(node), travel, wanted, weighed, counts, here);
    inside.depart(rows);
    return inside.arrive();
  }

  @Override
  public ExpertRows expertRows() {
    return inside.expertRows();
  }

  @Override
  public RowView room() {
    return inside.room();
  }

  @Override
  public void giveBack(RowView results) {
    inside.giveBack(results);
    Tensor partial;
    if (back) {
      Gradients given = inside.gradients();
      homeWeights = travel.room(travel.exact(), owners.length, routing.topK());
      ticketsPending =
          begin(homeWeights, leaving, given.ofWeights().to(travel.exact()).contiguous(), arriving);
      partial = given.ofTokens();
    } else {
      partial = inside.combined();
    }
    home = travel.room(travel.wire(), owners.length, width);
    rowsPending = begin(home, leaving, partial.to(travel.wire()).contiguous(), arriving);
  }

  @Override
  public Tensor combined() {
    await(rowsPending);
    return travel.timed(Phase.COMBINE, () -> summed(home, travel.compute()));
  }

  /** Adds up what the nodes gave, in their order; within a node every token stands once. */
  private Tensor summed(Tensor copies, DType type) {
    Tensor sums = travel.room(type, routing.tokens(), copies.size(1)).fill(0);
    long from = 0;
    for (long count : leaving) {
      if (count > 0) {
        sums.indexAdd(0, index.narrow(0, from, count), copies.narrow(0, from, count).to(type));
      }
      from += count;
    }
    return sums;
  }

  @Override
  public void departBack(Tensor ofCombined) {
    back = true;
    sendRows(ofCombined);
  }

  @Override
  public RowView arriveBack() {
    await(rowsPending);
    inside.departBack(rows.to(travel.compute()));
    return inside.arriveBack();
  }

  @Override
  public Gradients gradients() {
    await(ticketsPending);
    await(rowsPending);
    return travel.timed(
        Phase.COMBINE,
        () ->
            new Gradients(
                summed(home, travel.compute()),
                summed(homeWeights, travel.exact()).to(travel.compute())));
  }

  @Override
  public void keep(Scope scope) {
    scope.keep(weights);
    scope.keep(index);
    inside.keep(scope);
  }

  private Pending begin(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    return travel.timed(
        Phase.EXCHANGE, () -> grid.column().allToAll(received, receivedRows, sent, sentRows));
  }

  private void await(Pending pending) {
    travel.timed(
        Phase.EXCHANGE,
        () -> {
          pending.await();
          return null;
        });
  }

  private static long sum(long[] counts) {
    long sum = 0;
    for (long count : counts) {
      sum += count;
    }
    return sum;
  }
}
