package dev.gossamer.distributed.c10d;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Short messages of one length that all ranks of a group send each other. The next ones are always
 * asked for already, so that they take one way through the network and not three. Of one thread.
 */
final class Notices implements AutoCloseable {
  private static final int TAG = 1;

  private final ProcessGroupGloo processes;
  private final int rank;
  private final int size;
  private final int length;
  private final LongPointer said;
  private final LongPointer heard;
  private final Works asked = new Works();
  private final Works sending = new Works();

  /**
   * @param length numbers from each rank to each
   */
  Notices(ProcessGroupGloo processes, int rank, int size, int length) {
    this.processes = processes;
    this.rank = rank;
    this.size = size;
    this.length = length;
    this.said = new LongPointer((long) size * length);
    this.heard = new LongPointer((long) size * length);
    ask();
  }

  private void ask() {
    try (PointerScope natives = new PointerScope()) {
      for (int peer = 0; peer < size; peer++) {
        if (peer != rank) {
          asked.add(processes.recv(numbers(heard, peer), peer, TAG));
        }
      }
    }
  }

  /**
   * Sends to all and waits for all.
   *
   * @param mine {@code length} numbers for rank 0, then for rank 1, ..
   * @return {@code length} numbers of rank 0, then of rank 1, ..
   */
  long[] exchange(long[] mine) {
    try (PointerScope natives = new PointerScope()) {
      said.put(mine, 0, mine.length);
      for (int peer = 0; peer < size; peer++) {
        if (peer != rank) {
          sending.add(processes.send(numbers(said, peer), peer, TAG));
        }
      }
      asked.await();
      sending.await();
      long[] theirs = new long[mine.length];
      heard.get(theirs, 0, theirs.length);
      System.arraycopy(mine, rank * length, theirs, rank * length, length);
      asked.clear();
      sending.clear();
      ask();
      return theirs;
    }
  }

  private TensorVector numbers(LongPointer all, int peer) {
    return new TensorVector(
        torch.from_blob(
            all.getPointer((long) peer * length),
            new long[] {length},
            new TensorOptions(ScalarType.Long)));
  }

  /** Ends a wait, by another thread than the waiting one. */
  void interrupt() {
    asked.abort();
    sending.abort();
  }

  /** After the group, which may still write what was asked for. */
  @Override
  public void close() {
    asked.close();
    sending.close();
    said.close();
    heard.close();
  }
}
