package dev.gossamer.moe.parallel;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Pending;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;

/**
 * The ways of one range of tokens to their experts and back (moe: dispatch and combine), and of
 * their gradients in the other direction.
 *
 * <p>Rows leave sorted by expert, within an expert by token and slot: a stable counting sort, so
 * the same routing gives the same bits. They arrive sorted by sender, and are brought into the
 * order of experts, in which an expert's rows stand in global token order.
 */
public final class RowExchange {
  private final Communicator ranks;
  private final DType wire;
  private final int[] slots; // the slot of each row that leaves, in the order of leaving
  private final int topK;
  private final int tokens;
  private final long[] sentRows;
  private final long[] receivedRows;
  private final int[] arrival; // for each row in expert order, its place among those that arrive
  private final int[] offsets; // of local experts in expert order
  private final PhaseClock clock;

  /** Rows under way; the tensor is complete once awaited. */
  public record Journey(Tensor rows, Pending pending, Tensor held) {}

  private RowExchange(
      Communicator ranks,
      DType wire,
      int[] slots,
      int topK,
      int tokens,
      long[] sentRows,
      long[] receivedRows,
      int[] arrival,
      int[] offsets,
      PhaseClock clock) {
    this.ranks = ranks;
    this.wire = wire;
    this.slots = slots;
    this.topK = topK;
    this.tokens = tokens;
    this.sentRows = sentRows;
    this.receivedRows = receivedRows;
    this.arrival = arrival;
    this.offsets = offsets;
    this.clock = clock;
  }

  /**
   * Plans the ways of a range of tokens.
   *
   * @param counts slots per expert of this range, from every rank: {@code [ranks][experts]}
   * @param wire type of the rows on the wire
   * @param clock is told what takes how long
   */
  public static RowExchange of(
      Routing routing,
      int fromToken,
      int toToken,
      int[][] counts,
      ExpertPlacement placement,
      Communicator ranks,
      DType wire,
      PhaseClock clock) {
    int self = ranks.rank();
    int[] slots = sorted(routing, fromToken, toToken, counts[self]);
    long[] sent = new long[ranks.size()];
    long[] received = new long[ranks.size()];
    int first = placement.first(self);
    int local = placement.count(self);
    int[] offsets = new int[local + 1];
    for (int peer = 0; peer < ranks.size(); peer++) {
      for (int expert = placement.first(peer); expert < placement.first(peer + 1); expert++) {
        sent[peer] += counts[self][expert];
      }
      for (int expert = 0; expert < local; expert++) {
        received[peer] += counts[peer][first + expert];
        offsets[expert + 1] += counts[peer][first + expert];
      }
    }
    for (int expert = 0; expert < local; expert++) {
      offsets[expert + 1] += offsets[expert];
    }
    int[] arrival = arrival(counts, first, local, offsets[local]);
    return new RowExchange(
        ranks,
        wire,
        slots,
        routing.topK(),
        toToken - fromToken,
        sent,
        received,
        arrival,
        offsets,
        clock);
  }

  /** Slots of the range in the order of their experts; numbered from the range's first token. */
  private static int[] sorted(Routing routing, int fromToken, int toToken, int[] counts) {
    int[] next = new int[counts.length];
    int kept = 0;
    for (int expert = 0; expert < counts.length; expert++) {
      next[expert] = kept;
      kept += counts[expert];
    }
    int[] slots = new int[kept];
    int start = fromToken * routing.topK();
    for (int slot = start; slot < toToken * routing.topK(); slot++) {
      int expert = routing.expert()[slot];
      if (expert != Routing.DROPPED) {
        slots[next[expert]++] = slot - start;
      }
    }
    return slots;
  }

  private static int[] arrival(int[][] counts, int first, int local, int rows) {
    int[] next = new int[counts.length]; // where each sender's next block begins
    int at = 0;
    for (int peer = 0; peer < counts.length; peer++) {
      next[peer] = at;
      for (int expert = 0; expert < local; expert++) {
        at += counts[peer][first + expert];
      }
    }
    int[] arrival = new int[rows];
    int row = 0;
    for (int expert = 0; expert < local; expert++) {
      for (int peer = 0; peer < counts.length; peer++) {
        for (int i = 0; i < counts[peer][first + expert]; i++) {
          arrival[row++] = next[peer]++;
        }
      }
    }
    return arrival;
  }

  /** Bounds of each local expert's rows in expert order, one more than experts. */
  public int[] offsets() {
    return offsets;
  }

  /** Rows that leave. */
  public int rows() {
    return slots.length;
  }

  /**
   * The rows of tokens in the order of leaving.
   *
   * @param tokenRows {@code [tokens, width]} of the range
   */
  public Tensor leaving(Tensor tokenRows) {
    int[] owners = new int[slots.length];
    for (int row = 0; row < owners.length; row++) {
      owners[row] = slots[row] / topK;
    }
    return clock.time(Phase.PERMUTE, () -> tokenRows.indexSelect(0, index(owners)));
  }

  /**
   * Rows of slots in the order of leaving.
   *
   * @param slotRows {@code [tokens * topK, width]} of the range
   */
  public Tensor leavingSlots(Tensor slotRows) {
    return clock.time(Phase.PERMUTE, () -> slotRows.indexSelect(0, index(slots)));
  }

  /** Sends rows, in the order of leaving, towards their experts. */
  public Journey toExperts(Tensor leaving) {
    return travel(leaving, sentRows, receivedRows);
  }

  /** Arrived rows in the order of experts. */
  public Tensor inExpertOrder(Journey journey, DType compute) {
    await(journey);
    return clock.time(
        Phase.PERMUTE,
        () -> {
          Tensor rows = journey.rows().to(compute);
          return ranks.size() == 1 ? rows : rows.indexSelect(0, index(arrival));
        });
  }

  /** Sends rows, in the order of experts, back to where they came from. */
  public Journey toTokens(Tensor expertRows) {
    Tensor rows =
        clock.time(
            Phase.PERMUTE,
            () ->
                ranks.size() == 1
                    ? expertRows
                    : expertRows.indexSelect(0, index(inverse(arrival))));
    return travel(rows, receivedRows, sentRows);
  }

  /**
   * Returned rows by slot.
   *
   * @return {@code [tokens, topK, width]}; zero where a slot was dropped
   */
  public Tensor bySlot(Journey journey, DType compute) {
    await(journey);
    return clock.time(Phase.PERMUTE, () -> placed(journey.rows().to(compute)));
  }

  private Tensor placed(Tensor rows) {
    Tensor slotRows =
        slots.length == tokens * topK
            ? rows.indexSelect(0, index(inverse(slots)))
            : Tensor.zeros(rows.dtype(), (long) tokens * topK, rows.size(1))
                .indexCopy(0, index(slots), rows);
    return slotRows.reshape(tokens, topK, rows.size(1));
  }

  private void await(Journey journey) {
    clock.time(
        Phase.EXCHANGE,
        () -> {
          journey.pending().await();
          return journey;
        });
  }

  private Journey travel(Tensor rows, long[] sent, long[] received) {
    Tensor leaving = rows.to(wire).contiguous();
    if (ranks.size() == 1) {
      return new Journey(leaving, Pending.DONE, leaving);
    }
    long total = 0;
    for (long count : received) {
      total += count;
    }
    Tensor arriving = Tensor.empty(wire, total, rows.size(1));
    return clock.time(
        Phase.EXCHANGE,
        () -> new Journey(arriving, ranks.allToAll(arriving, received, leaving, sent), leaving));
  }

  private static int[] inverse(int[] order) {
    int[] inverse = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      inverse[order[i]] = i;
    }
    return inverse;
  }

  private static Tensor index(int[] numbers) {
    return Tensor.of(numbers, numbers.length).to(DType.INT64);
  }
}
