package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.gloo.Device;

/**
 * One Gloo process group. Every call returns when this rank's part is done, or throws what Gloo
 * threw; used by one thread at a time.
 *
 * <p>Gloo trusts lengths: a longer message than expected aborts the process, a shorter one leaves
 * old numbers behind.
 */
final class GlooGroup implements Engine {
  private static final Duration LOOK = Duration.ofMillis(500);

  private final ProcessGroupGloo processes;
  private final Register.GroupStore store;
  private final int rank;
  private final int size;
  private final Notices notices;
  private volatile Optional<Receiving> receiving = Optional.empty(); // under way
  private volatile boolean interrupted;
  private boolean closed;

  private GlooGroup(ProcessGroupGloo processes, Register.GroupStore store, int rank, int size) {
    this.processes = processes;
    this.store = store;
    this.rank = rank;
    this.size = size;
    this.notices = new Notices(processes, rank, size, Announcement.LENGTH);
  }

  /** Connects with all others of the group, who do the same. */
  static GlooGroup connect(
      Register.GroupStore store, int rank, int size, InetAddress here, Duration timeout) {
    try (Milliseconds limit = new Milliseconds(timeout.toMillis());
        Device device = ProcessGroupGloo.createDeviceForHostname(here.getHostAddress());
        GlooDeviceVector devices = new GlooDeviceVector(device);
        ProcessGroupGloo.Options options = ProcessGroupGloo.Options.create(limit)) {
      options.devices(devices);
      options.threads(1); // exchanges come one after the other
      return new GlooGroup(
          new ProcessGroupGloo(store.store(), rank, size, options), store, rank, size);
    }
  }

  /**
   * @throws EnvironmentException if this machine has no Gloo
   */
  static void require() {
    Libtorch.boot();
    if (!Loader.getPlatform().startsWith("linux")) {
      throw new EnvironmentException(
          "There is no Gloo for " + Loader.getPlatform() + ", so processes cannot be ranks",
          "Use Linux, or ranks as threads (--simulate)");
    }
    if (!Loader.isLoadLibraries()) {
      throw new EnvironmentException(
          "The libtorch of an installed PyTorch and the bindings to Gloo do not fit together",
          "Unset GOSSAMER_LIBTORCH, so that the libtorch of the jars is used; or use --backend nccl");
    }
  }

  @Override
  public Runnable after(Tensor tensor) {
    if (!tensor.device().isCpu()) {
      throw new IllegalArgumentException("Gloo exchanges tensors on the processor, not " + tensor);
    }
    return () -> {};
  }

  @Override
  public long[] announce(long[] mine) {
    return notices.exchange(mine);
  }

  /**
   * Reduces in place around a ring: each part of the tensor is summed once, in the order of its way
   * round, and the result copied, so that all ranks hold the same bits, on every run.
   */
  @Override
  public void allReduce(Tensor tensor, Reduction reduction) {
    run(
        () ->
            processes.allreduce(
                new TensorVector(NativeTensors.numbers(tensor)), NativeTensors.options(reduction)),
        tensor);
  }

  @Override
  public void allGather(Tensor gathered, Tensor tensor) {
    run(
        () -> processes._allgather_base(NativeTensors.bytes(gathered), NativeTensors.bytes(tensor)),
        gathered,
        tensor);
  }

  @Override
  public void broadcast(Tensor tensor, int root) {
    run(
        () ->
            processes.broadcast(
                new TensorVector(NativeTensors.bytes(tensor)), NativeTensors.from(root)),
        tensor);
  }

  /** Gloo's own all-to-all. {@link #allToAll} is faster where a link is the limit. */
  void ownAllToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    run(
        () ->
            processes.alltoall_base(
                NativeTensors.rows(received),
                NativeTensors.rows(sent),
                new LongVector(receivedRows),
                new LongVector(sentRows)),
        received,
        sent);
  }

  /**
   * Tells every peer first that its rows may come, before the ranks agree, so that the rows need
   * not wait for another round trip.
   *
   * <p>Gloo has one connection for each pair of ranks, and a rank may send only what the other has
   * asked for. In Gloo's own all-to-all a rank sends first and asks then, so its question waits
   * behind its own rows, and the two of a pair send one after the other: half of the line.
   */
  @Override
  public void allToAll(
      Tensor received,
      long[] receivedRows,
      Tensor sent,
      long[] sentRows,
      Runnable agree,
      UnaryOperator<RuntimeException> failed) {
    try (Receiving now = new Receiving(received, receivedRows)) {
      receiving = Optional.of(now);
      try {
        agree.run();
        now.andSend(sent, sentRows);
      } catch (RuntimeException e) {
        throw failed.apply(e);
      }
    } finally {
      receiving = Optional.empty();
    }
  }

  /**
   * The connections close, and tell the others, as soon as nothing refers to them any more: neither
   * the group nor what is still asked for.
   */
  @Override
  public void abort() {
    close();
    receiving.ifPresent(Receiving::close);
  }

  /** An all-to-all that has begun; of the thread that has begun it. */
  private final class Receiving implements AutoCloseable {
    private static final int TAG = 0;

    private final PointerScope natives = new PointerScope();
    private final Works under = new Works();
    private final Tensor received;
    private final long[] receivedEnds;

    private Receiving(Tensor received, long[] rows) {
      this.received = received;
      this.receivedEnds = ends(received, rows);
      for (int peer : order()) {
        part(received, receivedEnds, peer)
            .ifPresent(part -> under.add(processes.recv(part, peer, TAG)));
      }
    }

    /** Sends this rank's rows and waits for all others'. */
    void andSend(Tensor sent, long[] sentRows) {
      long[] ends = ends(sent, sentRows);
      for (int peer : order()) {
        part(sent, ends, peer).ifPresent(part -> under.add(processes.send(part, peer, TAG)));
      }
      Pointer.memcpy(
          memory(received, receivedEnds, rank), memory(sent, ends, rank), length(ends, rank));
      under.await();
    }

    void interrupt() {
      under.abort();
    }

    @Override
    public void close() {
      under.close();
      natives.close();
    }

    /**
     * The i-th partner of a rank has it for the i-th, so that no node is sent to by all at once.
     */
    private int[] order() {
      int past = Integer.highestOneBit(Math.max(1, size - 1)) << 1;
      return IntStream.range(1, past).map(i -> rank ^ i).filter(peer -> peer < size).toArray();
    }

    /** Where each peer's bytes end. */
    private long[] ends(Tensor tensor, long[] rows) {
      long rowBytes = tensor.size(0) == 0 ? 0 : tensor.bytes() / tensor.size(0);
      long[] ends = new long[size];
      long end = 0;
      for (int peer = 0; peer < size; peer++) {
        end += rows[peer] * rowBytes;
        ends[peer] = end;
      }
      return ends;
    }

    private long length(long[] ends, int peer) {
      return peer == 0 ? ends[0] : ends[peer] - ends[peer - 1];
    }

    private NativeTensors.Memory memory(Tensor tensor, long[] ends, int peer) {
      return new NativeTensors.Memory(
          tensor.count() == 0 ? 0 : tensor.address() + ends[peer] - length(ends, peer));
    }

    private Optional<TensorVector> part(Tensor tensor, long[] ends, int peer) {
      long length = length(ends, peer);
      return length == 0
          ? Optional.empty()
          : Optional.of(
              new TensorVector(
                  torch.from_blob(
                      memory(tensor, ends, peer),
                      new long[] {length},
                      new TensorOptions(ScalarType.Byte))));
    }
  }

  /**
   * Gloo's thread carries it out and cannot be stopped. So if the wait is given up, whatever it may
   * still read or write is kept for as long as the process lives, and so is the group.
   */
  private void run(Supplier<Work> exchange, Tensor... touched) {
    try (PointerScope scope = new PointerScope();
        Milliseconds look = new Milliseconds(LOOK.toMillis())) {
      Work work = exchange.get();
      while (!hasEnded(work, look)) {
        if (interrupted) {
          closed = true;
          Arrays.stream(touched).forEach(Scope.detached()::adopt);
          throw Works.ended();
        }
      }
    }
  }

  private static boolean hasEnded(Work work, Milliseconds look) {
    try {
      work._wait(look);
      return true;
    } catch (RuntimeException e) {
      if (!work.isCompleted()) {
        return false; // time is out: the exception is that of the look
      }
      work._wait(); // throws what the exchange has
      return true;
    }
  }

  @Override
  public void interrupt() {
    interrupted = true;
    notices.interrupt();
    receiving.ifPresent(Receiving::interrupt);
  }

  /** Closes all connections; the exchanges of the others with this rank fail. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      processes.close();
      notices.close();
      store.store().close();
      store.connection().close();
    }
  }
}
