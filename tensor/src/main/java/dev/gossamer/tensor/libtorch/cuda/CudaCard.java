package dev.gossamer.tensor.libtorch.cuda;

import dev.gossamer.tensor.libtorch.Libtorch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.pytorch.global.torch_cuda;

/** What is to be known of a card, by its number. */
public final class CudaCard {
  private static final Map<Integer, Long> FREE_AT_FIRST = new ConcurrentHashMap<>();

  private CudaCard() {}

  /** How many there are; 0 without CUDA. */
  public static int count() {
    return Libtorch.cards();
  }

  /** For example {@code NVIDIA H200}. */
  public static String name(int card) {
    Cuda.boot();
    byte[] name = new byte[256];
    Cuda.check(cudart.cuDeviceGetName(name, name.length, card), "the name of the card");
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, java.nio.charset.StandardCharsets.US_ASCII);
  }

  /** Ten times the major number of its compute capability and the minor one, for example 90. */
  public static int capability(int card) {
    return 10 * attribute(card, cudart.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + attribute(card, cudart.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }

  public static int multiprocessors(int card) {
    return attribute(card, cudart.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  }

  /** Bytes of shared memory that one block may ask for. */
  public static int sharedMemory(int card) {
    return attribute(card, cudart.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  }

  private static int attribute(int card, int which) {
    Cuda.boot();
    int[] value = new int[1];
    Cuda.check(cudart.cuDeviceGetAttribute(value, which, card), "an attribute of the card");
    return value[0];
  }

  /** The newest CUDA that the driver knows, for example 13000 for 13.0. */
  public static int driver() {
    Cuda.boot();
    int[] version = new int[1];
    Cuda.check(cudart.cuDriverGetVersion(version), "the version of the driver");
    return version[0];
  }

  /** Bytes in all. */
  public static long memory(int card) {
    return info(card)[1];
  }

  /**
   * Bytes that the card still has to give. What libtorch keeps for its next tensors is not among
   * them.
   */
  public static long free(int card) {
    return info(card)[0];
  }

  /**
   * Bytes that this process took of the card, and others meanwhile, since it first asked. libtorch
   * gives nothing back of what it once took, so this is the most so far. Its own statistics would
   * say more, but their layout differs between versions: asking for them by bindings of another one
   * writes where it must not.
   */
  public static long taken(int card) {
    long free = info(card)[0];
    return Math.max(0, FREE_AT_FIRST.get(card) - free);
  }

  private static long[] info(int card) {
    Cuda.boot();
    try (Cuda.Current current = Cuda.current(card);
        SizeTPointer free = new SizeTPointer(1);
        SizeTPointer total = new SizeTPointer(1)) {
      Cuda.check(cudart.cuMemGetInfo(free, total), "the memory of the card");
      FREE_AT_FIRST.putIfAbsent(card, free.get());
      return new long[] {free.get(), total.get()};
    }
  }

  /** Waits until everything given to the card is done. */
  public static void synchronise(int card) {
    Cuda.boot();
    try (Cuda.Current current = Cuda.current(card)) {
      torch_cuda.device_synchronize();
    }
  }
}
