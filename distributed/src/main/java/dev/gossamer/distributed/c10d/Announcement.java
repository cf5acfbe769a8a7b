package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.stream.IntStream;

/**
 * What a rank is about to exchange. Ranks tell each other first: Gloo takes any two calls for each
 * other, and then corrupts memory, hangs or aborts the process.
 *
 * @param call which
 * @param dtype of the elements
 * @param detail the root of a broadcast, the reduction of an all-reduce, else 0
 * @param elements of the tensor, of a row for an all-to-all
 */
record Announcement(Call call, DType dtype, int detail, long elements) {
  /** Numbers that say it, with the number of rows for the peer and of it. */
  static final int LENGTH = 6;

  enum Call {
    ALL_REDUCE,
    ALL_GATHER,
    BROADCAST,
    ALL_TO_ALL
  }

  static Announcement of(Call call, int detail, Tensor tensor, long elements) {
    return new Announcement(call, tensor.dtype(), detail, elements);
  }

  /** An all-to-all of rows like these. */
  static Announcement ofRows(Tensor sent) {
    long row = IntStream.range(1, sent.dims()).mapToLong(sent::size).reduce(1, (a, b) -> a * b);
    return of(Call.ALL_TO_ALL, 0, sent, row);
  }

  /**
   * Numbers for one peer.
   *
   * @param rows that it will be sent
   * @param expected rows of it
   */
  long[] encode(long rows, long expected) {
    return new long[] {call.ordinal(), dtype.ordinal(), detail, elements, rows, expected};
  }

  static Announcement decode(long[] numbers, int at) {
    return new Announcement(
        Call.values()[(int) numbers[at]],
        DType.values()[(int) numbers[at + 1]],
        (int) numbers[at + 2],
        numbers[at + 3]);
  }

  /**
   * Compares with what a peer has said. Both directions are compared on both sides: rows may only
   * be sent to somebody who has room for just as many.
   *
   * @param rows that it will be sent
   * @param expected rows of it
   * @throws CommunicationException if it means something else
   */
  void check(int rank, int peer, long[] numbers, int at, long rows, long expected) {
    Announcement theirs = decode(numbers, at);
    if (!theirs.equals(this)) {
      throw new CommunicationException(
          "Rank " + rank + " is in " + this + ", rank " + peer + " in " + theirs,
          "All ranks must make the same calls with the same shapes");
    }
    checkRows(rank, expected, peer, numbers[at + 4]);
    checkRows(peer, numbers[at + 5], rank, rows);
  }

  private static void checkRows(int receiver, long expected, int sender, long sent) {
    if (sent != expected) {
      throw new CommunicationException(
          "Rank "
              + receiver
              + " expects "
              + expected
              + " rows of rank "
              + sender
              + ", which sends "
              + sent,
          "The ranks disagree about the routing");
    }
  }

  /** As a person reads it in an error. */
  @Override
  public String toString() {
    return switch (call) {
      case ALL_REDUCE ->
          "all-reduce " + Reduction.values()[detail] + " of " + elements + " " + dtype;
      case ALL_GATHER -> "all-gather of " + elements + " " + dtype;
      case BROADCAST -> "broadcast from rank " + detail + " of " + elements + " " + dtype;
      case ALL_TO_ALL -> "all-to-all of rows of " + elements + " " + dtype;
    };
  }
}
