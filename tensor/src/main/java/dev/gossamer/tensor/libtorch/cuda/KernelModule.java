package dev.gossamer.tensor.libtorch.cuda;

import java.nio.LongBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch_cuda;

/** Machine code on one card. Lives as long as the process: a launch may still be under way. */
public final class KernelModule {
  private static final ThreadLocal<Addresses> ADDRESSES = ThreadLocal.withInitial(Addresses::new);

  private final int card;
  private final CUmod_st module = new CUmod_st();
  private final Map<String, Kernel> kernels = new ConcurrentHashMap<>();

  /** Loads an image. */
  public KernelModule(int card, byte[] image) {
    Cuda.boot();
    this.card = card;
    try (Cuda.Current current = Cuda.current(card);
        BytePointer bytes = new BytePointer(image)) {
      Cuda.check(cudart.cuModuleLoadData(module, bytes), "loading kernels");
    }
  }

  /**
   * @throws dev.gossamer.tensor.failure.GossamerException if there is none of that name
   */
  public Kernel kernel(String name) {
    return kernels.computeIfAbsent(name, Kernel::new);
  }

  /** One kernel. Safe to launch from several threads; the order on the stream is theirs. */
  public final class Kernel {
    private final String name;
    private final CUfunc_st function = new CUfunc_st();
    private int sharedAllowed;

    private Kernel(String name) {
      this.name = name;
      try (Cuda.Current current = Cuda.current(card)) {
        Cuda.check(cudart.cuModuleGetFunction(function, module, name), "finding kernel " + name);
      }
    }

    /**
     * Gives the kernel to libtorch's current stream.
     *
     * @param grid blocks in x, y, z
     * @param block threads in x, y, z
     * @param sharedBytes shared memory beside what the kernel declares
     */
    public void launch(int[] grid, int[] block, int sharedBytes, KernelArguments arguments) {
      try (Cuda.Current current = Cuda.current(card);
          CUDAStream stream = torch_cuda.getCurrentCUDAStream((byte) card);
          CUstream_st handle = stream.stream()) {
        allow(sharedBytes);
        Cuda.check(
            cudart.cuLaunchKernel(
                function,
                grid[0],
                grid[1],
                grid[2],
                block[0],
                block[1],
                block[2],
                sharedBytes,
                handle,
                ADDRESSES.get().of(arguments),
                (PointerPointer<?>) null),
            "launching kernel " + name);
      }
    }

    /** Asked for once: without that a kernel gets 48 KiB, what it declares by itself included. */
    private synchronized void allow(int sharedBytes) {
      if (sharedBytes > sharedAllowed) {
        Cuda.check(
            cudart.cuFuncSetAttribute(
                function, cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes),
            "giving kernel " + name + " " + sharedBytes + " bytes of shared memory");
        sharedAllowed = sharedBytes;
      }
    }
  }

  /**
   * Where the arguments of a launch lie, as CUDA reads it: pointers to each. One for each thread,
   * as launches are many and small.
   */
  static final class Addresses {
    private static final int MOST = 1024; // an argument takes at least 4 bytes

    private final LongPointer values = new LongPointer(MOST);
    private final LongBuffer places = values.asBuffer(); // written without a call for each
    private final PointerPointer<Pointer> pointers = new PointerPointer<>(values);

    PointerPointer<Pointer> of(KernelArguments arguments) {
      for (int i = 0; i < arguments.count(); i++) {
        places.put(i, arguments.address() + arguments.offset(i));
      }
      return pointers;
    }
  }
}
