package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.libtorch.Libtorch;
import dev.gossamer.tensor.libtorch.NativeLibrary;
import dev.gossamer.tensor.libtorch.NativeLoading;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.cuda.nccl.ncclComm;
import org.bytedeco.cuda.nccl.ncclUniqueId;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * The cards of a group, one of each rank, connected by NCCL's own C functions: its binary interface
 * is the same for years, that of libtorch's classes around it is not. Tensors on the processor go
 * by way of the card.
 *
 * <p>Exchanges have a stream of their own, so that the card computes meanwhile. NCCL waits without
 * limit for a peer, even for one that is gone. So each call looks until the card is done, and
 * aborts when time is out or another rank has given up.
 */
final class NcclGroup implements Engine {
  private static final NativeLibrary RUNTIME = new NativeLibrary("cuda", "libjnicudart.so");
  private static final NativeLibrary TORCH = new NativeLibrary("pytorch", "libjnitorch_cuda.so");
  private static final NativeLibrary NCCL = new NativeLibrary("cuda", "libjninccl.so");
  private static final String LIBRARY = "libnccl.so.2";

  private static final Map<DType, Integer> REDUCIBLE =
      Map.of(
          DType.FLOAT64, nccl.ncclFloat64,
          DType.FLOAT32, nccl.ncclFloat32,
          DType.FLOAT16, nccl.ncclFloat16,
          DType.BFLOAT16, nccl.ncclBfloat16,
          DType.INT64, nccl.ncclInt64,
          DType.INT32, nccl.ncclInt32,
          DType.INT8, nccl.ncclInt8,
          DType.UINT8, nccl.ncclUint8);

  private static final long SPIN_NANOS = 100_000; // then the processor is left to others
  private static final long PAUSE_NANOS = 20_000;
  private static final Duration LOOK_AROUND = Duration.ofMillis(500);

  private final ncclComm ranks;
  private final NcclMeeting meeting;
  private final int rank;
  private final int size;
  private final Device card;
  private final Duration timeout;
  private final CUDAStream stream;
  private volatile boolean interrupted;
  private boolean closed;

  private NcclGroup(
      ncclComm ranks,
      NcclMeeting meeting,
      int rank,
      int size,
      Device card,
      Duration timeout,
      CUDAStream stream) {
    this.ranks = ranks;
    this.meeting = meeting;
    this.rank = rank;
    this.size = size;
    this.card = card;
    this.timeout = timeout;
    this.stream = stream;
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
    Libtorch.boot();
    // An installed PyTorch brings its own, where the system's loader does not look.
    if (Loader.isLoadLibraries() && setup.missing().contains(LIBRARY)) {
      throw lacking(
          LIBRARY + " is not installed",
          "Install NCCL 2 for CUDA 13, or add its folder to LD_LIBRARY_PATH; or use --backend gloo");
    }
    try {
      NativeLoading.load(
          List.of(cudart.class, torch_cuda.class, nccl.class), List.of(RUNTIME, TORCH, NCCL));
    } catch (LinkageError e) { // no natives
      throw new EnvironmentException(
          "NCCL cannot carry the exchanges: these natives of libtorch have none",
          "Build with the profile gpu (MAVEN_ARGS=-Pgpu), or use --backend gloo",
          e);
    }
    if (!torch.cuda_is_available()) {
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

  /** Connects with all others of the group, who do the same; by the thread that will exchange. */
  static NcclGroup connect(NcclMeeting meeting, int rank, int size, Device card, Duration timeout) {
    torch_cuda.set_device((byte) card.index());
    CUDAStream stream = torch_cuda.getStreamFromPool(true, (byte) card.index());
    torch_cuda.setCurrentCUDAStream(stream); // copies to and from the card follow it, too
    ncclUniqueId number;
    if (rank == 0) {
      number = new ncclUniqueId();
      check(nccl.ncclGetUniqueId(number));
      meeting.announce(number);
    } else {
      number = meeting.learn(Deadline.in(timeout));
    }
    try (number;
        PointerPointer<ncclComm> made = new PointerPointer<>(1)) {
      check(nccl.ncclCommInitRank(made, size, number, rank));
      ncclComm ranks = new ncclComm(made.get(0));
      return new NcclGroup(ranks, meeting, rank, size, card, timeout, stream);
    }
  }

  @Override
  public Runnable after(Tensor tensor) {
    if (tensor.device().isCpu()) {
      return () -> {};
    }
    CUDAEvent asked = new CUDAEvent();
    try (CUDAStream current = torch_cuda.getCurrentCUDAStream((byte) card.index())) {
      asked.record(current);
    }
    return () -> {
      try (asked) {
        asked.block(stream);
      }
    };
  }

  @Override
  public long[] announce(long[] mine) {
    try (Scope scope = Scope.open()) {
      Tensor said = Tensor.of(mine, size, mine.length / size).to(card);
      Tensor heard = Tensor.empty(DType.INT64, card, size, mine.length / size);
      long[] each = new long[size];
      Arrays.fill(each, 1);
      exchangeRows(heard, each, said, each);
      return heard.toLongs();
    }
  }

  @Override
  public void allReduce(Tensor tensor, Reduction reduction) {
    int operation = reduction == Reduction.SUM ? nccl.ncclSum : nccl.ncclMax;
    int type = REDUCIBLE.get(tensor.dtype());
    try (Scope scope = Scope.open()) {
      Tensor own = tensor.to(card);
      check(
          nccl.ncclAllReduce(
              at(own, 0), at(own, 0), own.count(), type, operation, ranks, handle()));
      await();
      bring(own, tensor);
    }
  }

  @Override
  public void allGather(Tensor gathered, Tensor tensor) {
    try (Scope scope = Scope.open()) {
      Tensor own = tensor.to(card);
      Tensor all = room(gathered);
      check(
          nccl.ncclAllGather(at(own, 0), at(all, 0), own.bytes(), nccl.ncclUint8, ranks, handle()));
      await();
      bring(all, gathered);
    }
  }

  @Override
  public void broadcast(Tensor tensor, int root) {
    try (Scope scope = Scope.open()) {
      Tensor own = tensor.to(card);
      check(
          nccl.ncclBroadcast(
              at(own, 0), at(own, 0), own.bytes(), nccl.ncclUint8, root, ranks, handle()));
      await();
      bring(own, tensor);
    }
  }

  @Override
  public void allToAll(
      Tensor received,
      long[] receivedRows,
      Tensor sent,
      long[] sentRows,
      Runnable agree,
      UnaryOperator<RuntimeException> failed) {
    agree.run();
    try (Scope scope = Scope.open()) {
      Tensor room = room(received);
      exchangeRows(room, receivedRows, sent.to(card), sentRows);
      bring(room, received);
    }
  }

  private void exchangeRows(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    long rowBytes = Math.max(rowBytes(received), rowBytes(sent)); // one of them may have no rows
    long from = 0;
    long into = 0;
    check(nccl.ncclGroupStart());
    for (int peer = 0; peer < size; peer++) {
      long out = sentRows[peer] * rowBytes;
      long in = receivedRows[peer] * rowBytes;
      if (out > 0) {
        check(nccl.ncclSend(at(sent, from), out, nccl.ncclUint8, peer, ranks, handle()));
      }
      if (in > 0) {
        check(nccl.ncclRecv(at(received, into), in, nccl.ncclUint8, peer, ranks, handle()));
      }
      from += out;
      into += in;
    }
    check(nccl.ncclGroupEnd());
    await();
  }

  private static long rowBytes(Tensor tensor) {
    return tensor.size(0) == 0 ? 0 : tensor.bytes() / tensor.size(0);
  }

  /** The tensor itself if it is on the card, else a place there. */
  private Tensor room(Tensor tensor) {
    return tensor.device().isCpu() ? Tensor.empty(tensor.dtype(), card, tensor.shape()) : tensor;
  }

  private static void bring(Tensor onCard, Tensor where) {
    if (where.device().isCpu()) {
      where.copyFrom(onCard);
    }
  }

  private static Pointer at(Tensor tensor, long offset) {
    return new NativeTensors.Memory(tensor.count() == 0 ? 0 : tensor.address() + offset);
  }

  private CUstream_st handle() {
    return stream.stream();
  }

  /** Until the card has done what the stream was given. */
  private void await() {
    Deadline deadline = Deadline.in(timeout);
    Deadline spin = Deadline.in(Duration.ofNanos(SPIN_NANOS));
    Deadline quiet = Deadline.in(LOOK_AROUND);
    int[] state = new int[1];
    while (!stream.query()) {
      if (!spin.hasPassed()) {
        Thread.onSpinWait();
        continue;
      }
      LockSupport.parkNanos(PAUSE_NANOS);
      if (quiet.hasPassed()) {
        quiet = Deadline.in(LOOK_AROUND);
        check(nccl.ncclCommGetAsyncError(ranks, state));
        check(state[0]);
        if (interrupted || meeting.abandoned().getAsBoolean()) {
          throw new IllegalStateException("closed by another rank");
        }
      }
      if (deadline.hasPassed()) {
        throw new IllegalStateException("Timed out waiting for NCCL");
      }
    }
  }

  private static void check(int result) {
    if (result != nccl.ncclSuccess && result != nccl.ncclInProgress) {
      throw new IllegalStateException("NCCL: " + nccl.ncclGetErrorString(result).getString());
    }
  }

  @Override
  public void interrupt() {
    interrupted = true;
  }

  /** Ends what is under way, so that the card is free again. */
  @Override
  public void abort() {
    end(() -> nccl.ncclCommAbort(ranks));
  }

  @Override
  public void close() {
    end(() -> nccl.ncclCommDestroy(ranks));
  }

  private synchronized void end(Runnable how) {
    if (!closed) {
      closed = true;
      how.run();
    }
  }
}
