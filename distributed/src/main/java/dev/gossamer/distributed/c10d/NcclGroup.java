package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.nccl.ProcessGroupNCCL;

/**
 * One NCCL process group. Every call returns when the card has done this rank's part; used by one
 * thread at a time.
 *
 * <p>NCCL would leave it to the card when an exchange is over, and to a watchdog of its own, which
 * ends the process without a word to us, how long it may take. So each call looks until the card is
 * done, and aborts the group when time is out. Not yet run on any card.
 */
final class NcclGroup implements AutoCloseable {
  private static final String LIBRARY = "libnccl.so.2";
  private static final Duration PAUSE = Duration.ofNanos(20_000);

  /** Our time-out comes first: NCCL's own is this many times as long. */
  private static final int PATIENCE = 3;

  private final ProcessGroupNCCL cards;
  private final Register.GroupStore store;
  private final Duration timeout;
  private boolean aborted;
  private boolean closed;

  private NcclGroup(ProcessGroupNCCL cards, Register.GroupStore store, Duration timeout) {
    this.cards = cards;
    this.store = store;
    this.timeout = timeout;
  }

  /**
   * @throws EnvironmentException if NCCL cannot be used here
   */
  static void require(CudaSetup setup) {
    if (!setup.card() || !setup.driver()) {
      throw lacking(
          setup.card()
              ? "this machine has no driver for its NVIDIA card"
              : "there is no NVIDIA card",
          "Use --backend gloo, which needs none");
    }
    if (setup.missing().contains(LIBRARY)) {
      throw lacking(
          LIBRARY + " is not installed",
          "Install NCCL 2 for CUDA 13, or add its folder to LD_LIBRARY_PATH; or use --backend gloo");
    }
    GlooTransport.requireGloo(); // on which ranks agree what their cards exchange
    try {
      Loader.load(org.bytedeco.pytorch.global.torch_nccl.class);
    } catch (LinkageError | TypeNotPresentException e) { // no natives, or no classes of CUDA
      throw lacking(
          "these natives of libtorch have none",
          "Build with the profile gpu (MAVEN_ARGS=-Pgpu), or use --backend gloo");
    }
    if (!Machine.backend().cuda()) {
      throw lacking(
          "libtorch cannot use the card here", "See './gossamer doctor', or use --backend gloo");
    }
  }

  private static EnvironmentException lacking(String what, String remedy) {
    return new EnvironmentException("NCCL cannot carry the exchanges: " + what, remedy);
  }

  /** How many cards this process sees. */
  static int cards() {
    return torch.cuda_device_count() & 0xff;
  }

  /** Connects with all others of the group, who do the same. */
  static NcclGroup connect(
      Register.GroupStore store, int rank, int size, Device card, Duration timeout) {
    try (PointerScope natives = new PointerScope()) {
      ProcessGroupNCCL.Options options = ProcessGroupNCCL.Options.create();
      options.timeout(new Milliseconds(PATIENCE * timeout.toMillis()));
      ProcessGroupNCCL cards = new ProcessGroupNCCL(store.store(), rank, size, options);
      cards.eagerConnectSingleDevice(new org.bytedeco.pytorch.Device(card.toString()));
      return new NcclGroup(cards.retainReference(), store, timeout);
    }
  }

  void allReduce(Tensor tensor, Reduction reduction) {
    run(
        () ->
            cards.allreduce(
                new TensorVector(NativeTensors.numbers(tensor)), NativeTensors.options(reduction)));
  }

  void allGather(Tensor gathered, Tensor tensor) {
    run(() -> cards._allgather_base(NativeTensors.bytes(gathered), NativeTensors.bytes(tensor)));
  }

  void broadcast(Tensor tensor, int root) {
    run(
        () ->
            cards.broadcast(
                new TensorVector(NativeTensors.bytes(tensor)), NativeTensors.from(root)));
  }

  void allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    run(
        () ->
            cards.alltoall_base(
                NativeTensors.rows(received),
                NativeTensors.rows(sent),
                new LongVector(receivedRows),
                new LongVector(sentRows)));
  }

  private synchronized void run(Supplier<Work> exchange) {
    try (PointerScope scope = new PointerScope()) {
      Work work = exchange.get();
      Deadline deadline = Deadline.in(timeout);
      while (!work.isCompleted()) {
        if (deadline.hasPassed()) {
          throw new IllegalStateException("Timed out waiting for NCCL");
        }
        LockSupport.parkNanos(PAUSE.toNanos());
      }
      work._wait(); // what the card is given next comes after it; a failure is thrown here
    } catch (RuntimeException e) {
      abort();
      throw e;
    }
  }

  /** Lets go of an exchange that will not end. */
  private void abort() {
    if (!aborted) {
      aborted = true;
      cards.abort();
    }
  }

  /** Waits for an exchange under way. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      if (!aborted) {
        cards.shutdown();
      }
      cards.releaseReference();
      store.store().close();
      store.connection().close();
    }
  }
}
