package dev.gossamer.distributed;

import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * What carries a group's exchanges: threads of one process, Gloo, NCCL. {@link Communicator} has
 * checked every argument; exchanges of one rank are carried out in the order in which they are
 * begun.
 */
public interface Transport extends AutoCloseable {
  int rank();

  int size();

  /** Reduces in place; the same bits on every rank. */
  Pending allReduce(Tensor tensor, Reduction reduction);

  /**
   * @param gathered {@code [size, ..]}, written
   * @param tensor one rank's part
   */
  Pending allGather(Tensor gathered, Tensor tensor);

  /** Writes the root's numbers over everybody else's. */
  Pending broadcast(Tensor tensor, int root);

  /**
   * @param received rows from rank 0, then from rank 1, ..
   * @param receivedRows how many from each
   * @param sent rows for rank 0, then for rank 1, ..
   * @param sentRows how many for each
   */
  Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows);

  /** A transport among those of this group that name the same colour, in the order of ranks. */
  Transport split(int colour);

  /**
   * The same connections with the engine's own all-to-all, where this one is composed of other
   * calls; to measure against. Closing it changes nothing.
   */
  default Optional<Transport> baseline() {
    return Optional.empty();
  }

  @Override
  void close();
}
