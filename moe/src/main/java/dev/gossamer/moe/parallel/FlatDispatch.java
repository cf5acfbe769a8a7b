package dev.gossamer.moe.parallel;

import dev.gossamer.distributed.Pending;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * A row for every slot of a token, from the token's rank to the expert's and back.
 *
 * <p>Rows leave sorted by expert, within an expert by token and slot: a stable counting sort, so
 * the same routing gives the same bits. They arrive sorted by sender, and are read in the order of
 * experts, in which an expert's rows stand in global token order.
 */
final class FlatDispatch implements TokenDispatch {
  private final RowCarrier carrier;
  private final Travel travel;
  private final boolean alone;
  private final int tokens;
  private final int topK;
  private final Tensor weights; // [tokens, topK]
  private final long[][] rows; // [from][to]
  private final ExpertRows expertRows;
  private final int leavingRows;
  private final Tensor owners; // of each row that leaves, its token
  private final Tensor slots; // of each row that leaves, its slot
  private final SlotRows slotRows;
  private final Tensor arrival; // of each row in expert order, its place among those that arrive
  private long width;
  private RowView arrived;
  private Tensor returned;
  private Journey outward;
  private Journey homeward;
  private Tensor scale; // of each row that leaves, its weight
  private Tensor ofWeights;

  /** Rows under way; the arriving ones are complete once awaited. */
  private record Journey(Tensor arriving, Pending pending) {}

  /**
   * @param routing of this part's tokens
   * @param weights {@code [tokens, topK]} in the computing type
   * @param counts slots per expert from every rank: {@code [ranks][experts]}
   */
  FlatDispatch(
      RowCarrier carrier,
      Travel travel,
      Routing routing,
      Tensor weights,
      int[][] counts,
      ExpertPlacement placement) {
    this.carrier = carrier;
    this.travel = travel;
    this.alone = counts.length == 1;
    this.tokens = routing.tokens();
    this.topK = routing.topK();
    this.weights = weights;
    this.rows = between(counts, placement);
    int self = carrier.ranks().rank();
    int first = placement.first(self);
    int[][] local = new int[placement.count(self)][counts.length];
    for (int expert = 0; expert < local.length; expert++) {
      for (int peer = 0; peer < counts.length; peer++) {
        local[expert][peer] = counts[peer][first + expert];
      }
    }
    this.expertRows = new ExpertRows(local);
    int[] order = sorted(routing, counts[self]);
    this.leavingRows = order.length;
    int[] place = new int[tokens * topK];
    int[] owner = new int[order.length];
    for (int row = 0; row < order.length; row++) {
      place[order[row]] = row;
      owner[row] = order[row] / topK;
    }
    this.slots = travel.index(order);
    this.owners = travel.index(owner);
    this.slotRows = new SlotRows(travel, routing, place, weights);
    this.arrival = alone ? null : travel.index(arrival(expertRows));
  }

  private static long[][] between(int[][] counts, ExpertPlacement placement) {
    long[][] rows = new long[counts.length][counts.length];
    for (int from = 0; from < counts.length; from++) {
      for (int to = 0; to < counts.length; to++) {
        for (int expert = placement.first(to); expert < placement.first(to + 1); expert++) {
          rows[from][to] += counts[from][expert];
        }
      }
    }
    return rows;
  }

  /** Slots in the order of their experts. */
  private static int[] sorted(Routing routing, int[] counts) {
    int[] next = new int[counts.length];
    int kept = 0;
    for (int expert = 0; expert < counts.length; expert++) {
      next[expert] = kept;
      kept += counts[expert];
    }
    int[] slots = new int[kept];
    for (int slot = 0; slot < routing.expert().length; slot++) {
      int expert = routing.expert()[slot];
      if (expert != Routing.DROPPED) {
        slots[next[expert]++] = slot;
      }
    }
    return slots;
  }

  private static int[] arrival(ExpertRows expertRows) {
    int[][] counts = expertRows.counts();
    int senders = counts.length == 0 ? 0 : counts[0].length;
    int[] next = new int[senders]; // where each sender's next block begins
    int at = 0;
    for (int sender = 0; sender < senders; sender++) {
      next[sender] = at;
      for (int[] ofExpert : counts) {
        at += ofExpert[sender];
      }
    }
    int[] arrival = new int[at];
    int row = 0;
    for (int[] ofExpert : counts) {
      for (int sender = 0; sender < senders; sender++) {
        for (int i = 0; i < ofExpert[sender]; i++) {
          arrival[row++] = next[sender]++;
        }
      }
    }
    return arrival;
  }

  @Override
  public void depart(Tensor rowsOfTokens) {
    width = rowsOfTokens.size(1);
    outward = leave(new RowView(rowsOfTokens, owners, null, travel.compute()));
  }

  @Override
  public RowView arrive() {
    arrived = arrivedFrom(outward, null);
    return arrived;
  }

  @Override
  public ExpertRows expertRows() {
    return expertRows;
  }

  @Override
  public RowView room() {
    DType type = alone ? travel.compute() : travel.wire();
    // On the way back what experts gave has been read for the last time: gradients take its place.
    // New memory of that size is new pages, which cost more than the sums over them.
    boolean reuse = alone && ofWeights != null;
    Tensor space = reuse ? returned : travel.room(type, expertRows.total(), width);
    return new RowView(space, arrival, null, travel.compute());
  }

  @Override
  public void giveBack(RowView results) {
    homeward = alone ? new Journey(results.rows(), Pending.DONE) : begin(results.rows(), back());
  }

  @Override
  public Tensor combined() {
    returned = home();
    return slotRows.weighted(returned);
  }

  @Override
  public void departBack(Tensor ofCombined) {
    scale = weights.reshape((long) tokens * topK, 1).indexSelect(0, slots);
    ofWeights = slotRows.products(returned, ofCombined);
    outward = leave(new RowView(ofCombined, owners, scale, travel.compute()));
  }

  @Override
  public RowView arriveBack() {
    return arrivedFrom(outward, scale);
  }

  @Override
  public Gradients gradients() {
    return new Gradients(slotRows.sums(home()), ofWeights);
  }

  @Override
  public void keep(Scope scope) {
    for (Tensor tensor : new Tensor[] {weights, owners, slots, returned}) {
      scope.keep(tensor);
    }
    slotRows.keep(scope);
    arrived.keep(scope);
  }

  /** Alone, nothing leaves: experts read the rows where they are. */
  private Journey leave(RowView leaving) {
    if (alone) {
      return new Journey(leaving.rows(), Pending.DONE);
    }
    Tensor sent =
        travel.timed(
            Phase.PERMUTE, () -> leaving.gathered(leavingRows, travel.wire(), travel.threads()));
    return begin(sent, rows);
  }

  private RowView arrivedFrom(Journey journey, Tensor factors) {
    await(journey);
    return alone
        ? new RowView(journey.arriving(), owners, factors, travel.compute())
        : new RowView(journey.arriving(), arrival, null, travel.compute());
  }

  private Tensor home() {
    await(homeward);
    return homeward.arriving();
  }

  private long[][] back() {
    long[][] back = new long[rows.length][rows.length];
    for (int from = 0; from < rows.length; from++) {
      for (int to = 0; to < rows.length; to++) {
        back[to][from] = rows[from][to];
      }
    }
    return back;
  }

  private Journey begin(Tensor sent, long[][] between) {
    int self = carrier.ranks().rank();
    long total = 0;
    for (long[] from : between) {
      total += from[self];
    }
    Tensor arriving = travel.room(travel.wire(), total, width);
    return travel.timed(
        Phase.EXCHANGE, () -> new Journey(arriving, carrier.carry(arriving, sent, between)));
  }

  private void await(Journey journey) {
    travel.timed(
        Phase.EXCHANGE,
        () -> {
          journey.pending().await();
          return null;
        });
  }
}
