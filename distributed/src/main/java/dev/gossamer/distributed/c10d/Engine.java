package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.function.UnaryOperator;

/**
 * What moves the bytes of a group of processes. Every call returns when this rank's part is done,
 * or throws; all but {@link #after} and {@link #interrupt} are made by one thread, in the same
 * order on every rank.
 */
interface Engine extends AutoCloseable {
  /** Whether it adds up numbers of this type. */
  default boolean reduces(DType dtype) {
    return NativeTensors.reduces(dtype);
  }

  /**
   * Tells every rank what this one is about to do.
   *
   * @param mine {@link Announcement#LENGTH} numbers for each rank
   * @return those of each rank
   */
  long[] announce(long[] mine);

  /** Reduces in place; all ranks hold the same bits. */
  void allReduce(Tensor tensor, Reduction reduction);

  void allGather(Tensor gathered, Tensor tensor);

  void broadcast(Tensor tensor, int root);

  /**
   * @param received rows of rank 0, then of rank 1, ..
   * @param sent rows for rank 0, then for rank 1, ..
   * @param agree is run once, before any row leaves
   * @param failed turns a failure into what is thrown; run before anything is let go into which a
   *     peer may still write
   */
  void allToAll(
      Tensor received,
      long[] receivedRows,
      Tensor sent,
      long[] sentRows,
      Runnable agree,
      UnaryOperator<RuntimeException> failed);

  /**
   * Marks what the thread that begins an exchange has asked of a card so far.
   *
   * @return makes the exchange wait for that, by the thread that carries it out
   * @throws IllegalArgumentException for a tensor that it does not move
   */
  Runnable after(Tensor tensor);

  /**
   * Ends a wait for a process that has ended, by any thread; the exchange then throws. For engines
   * that do not notice by themselves.
   */
  default void interrupt() {}

  /** Gives up whatever is under way; the others find out where the engine can tell them. */
  default void abort() {
    close();
  }

  /** Lets go of all others, when nothing is under way. */
  @Override
  void close();
}
