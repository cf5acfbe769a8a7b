package dev.gossamer.distributed;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.CRC32;

/**
 * What the ranks of a group say to each other. Every rank of the group makes the same calls in the
 * same order; a peer that fails, hangs or calls something else ends the wait of all others with a
 * {@link CommunicationException} within the transport's time-out. Arguments are checked before
 * anything is sent, so that a wrong one names itself instead of hanging its peers.
 *
 * <p>Used by one thread at a time.
 */
public final class Communicator implements AutoCloseable {
  private final Transport transport;
  private final long[] sent;
  private long exchanges;

  public Communicator(Transport transport) {
    this.transport = transport;
    this.sent = new long[transport.size()];
  }

  /** This rank in its group, from 0. */
  public int rank() {
    return transport.rank();
  }

  /** Ranks of the group. */
  public int size() {
    return transport.size();
  }

  /**
   * Sums over all ranks, in place, in an order that is the same on every rank.
   *
   * @param tensor contiguous, of one shape and floating or whole-number type on all ranks
   */
  public void allReduce(Tensor tensor) {
    allReduce(tensor, Reduction.SUM);
  }

  /** Reduces over all ranks, in place. */
  public void allReduce(Tensor tensor, Reduction reduction) {
    contiguous("all-reduce", "tensor", tensor);
    exchanges++;
    transport.allReduce(tensor, reduction).await();
  }

  /**
   * Every rank's tensor on every rank.
   *
   * @param tensor contiguous, of one shape and type on all ranks
   * @return {@code [size, ..]}
   */
  public Tensor allGather(Tensor tensor) {
    contiguous("all-gather", "tensor", tensor);
    long[] shape = new long[tensor.dims() + 1];
    shape[0] = size();
    System.arraycopy(tensor.shape(), 0, shape, 1, tensor.dims());
    Tensor gathered = Tensor.empty(tensor.dtype(), tensor.device(), shape);
    exchanges++;
    transport.allGather(gathered, tensor).await();
    return gathered;
  }

  /** Writes the root's numbers into every other rank's tensor. */
  public void broadcast(Tensor tensor, int root) {
    contiguous("broadcast", "tensor", tensor);
    if (root < 0 || root >= size()) {
      throw new IllegalArgumentException("broadcast from rank " + root + " of " + size());
    }
    exchanges++;
    transport.broadcast(tensor, root).await();
  }

  /** Returns when every rank has called it. */
  public void barrier() {
    try (Scope scope = Scope.open()) {
      allReduce(Tensor.zeros(DType.INT64, 1));
    }
  }

  /**
   * Sends rows to every rank and receives rows from every rank; counts may be zero.
   *
   * @param received {@code [rows, ..]}, contiguous, written: rows of rank 0, then of rank 1, ..
   * @param receivedRows how many from each rank
   * @param sent {@code [rows, ..]}, contiguous, of the same row shape and type: rows for rank 0, ..
   * @param sentRows how many for each rank
   * @return to be awaited, in the order of the calls
   */
  public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    rows("received", received, receivedRows);
    rows("sent", sent, sentRows);
    if (received.dtype() != sent.dtype() || rowCount(received) != rowCount(sent)) {
      throw new IllegalArgumentException(
          "all-to-all from rows of "
              + rowCount(sent)
              + " "
              + sent.dtype()
              + " into rows of "
              + rowCount(received)
              + " "
              + received.dtype());
    }
    if (receivedRows[rank()] != sentRows[rank()]) {
      throw new IllegalArgumentException(
          "all-to-all in which rank "
              + rank()
              + " sends "
              + sentRows[rank()]
              + " rows to itself and receives "
              + receivedRows[rank()]);
    }
    long rowBytes = rowCount(sent) * sent.dtype().bytes();
    for (int peer = 0; peer < size(); peer++) {
      this.sent[peer] += sentRows[peer] * rowBytes;
    }
    exchanges++;
    return transport.allToAll(received, receivedRows.clone(), sent, sentRows.clone());
  }

  /**
   * Exchanges of this group that this rank has begun, so that whoever fails can tell whether its
   * peers wait for it.
   */
  public long exchanges() {
    return exchanges;
  }

  /** Bytes of all all-to-all exchanges so far. */
  public Traffic traffic() {
    return new Traffic(rank(), sent);
  }

  /**
   * Makes sure that all ranks mean the same, before they compute past each other.
   *
   * @param what names it, for example {@code the model's configuration}
   * @throws CommunicationException on every rank, if one rank's text differs from rank 0's
   */
  public void agree(String what, String text) {
    CRC32 sum = new CRC32();
    sum.update(text.getBytes(StandardCharsets.UTF_8));
    try (Scope scope = Scope.open()) {
      long[] all = allGather(Tensor.of(new long[] {sum.getValue()}, 1)).toLongs();
      for (int peer = 1; peer < all.length; peer++) {
        if (all[peer] != all[0]) {
          throw new CommunicationException(
              "Rank " + peer + " differs from rank 0 in " + what,
              "Start all ranks with the same arguments and files");
        }
      }
    }
  }

  /** The group of those that name the same colour, in the order of ranks; every rank calls it. */
  public Communicator split(int colour) {
    return new Communicator(transport.split(colour));
  }

  /**
   * The same ranks by the engine's own all-to-all, where this one is composed of other calls; to
   * measure against. It lives as long as this one.
   */
  public Optional<Communicator> baseline() {
    return transport.baseline().map(Communicator::new);
  }

  @Override
  public void close() {
    transport.close();
  }

  private static void contiguous(String operation, String name, Tensor tensor) {
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException(
          operation + " of a " + name + " that is not contiguous: " + tensor);
    }
  }

  private void rows(String name, Tensor tensor, long[] rows) {
    contiguous("all-to-all", name + " tensor", tensor);
    long sum = Arrays.stream(rows).sum();
    if (rows.length != size()
        || Arrays.stream(rows).anyMatch(count -> count < 0)
        || tensor.dims() < 1
        || tensor.size(0) != sum) {
      throw new IllegalArgumentException(
          "all-to-all over "
              + size()
              + " ranks with "
              + Arrays.toString(rows)
              + " rows "
              + name
              + " in "
              + tensor);
    }
  }

  private static long rowCount(Tensor tensor) {
    long count = 1;
    for (int dim = 1; dim < tensor.dims(); dim++) {
      count *= tensor.size(dim);
    }
    return count;
  }
}
