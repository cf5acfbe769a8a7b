package dev.gossamer.tensor.libtorch.cuda;

import dev.gossamer.tensor.libtorch.Libtorch;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.pytorch.Stat;
import org.bytedeco.pytorch.cuda.DeviceStats;
import org.bytedeco.pytorch.global.torch_cuda;

/** What is to be known of a card, by its number. */
public final class CudaCard {
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

  /** Bytes that can still be had, those included that libtorch keeps for its next tensors. */
  public static long free(int card) {
    long[] info = info(card);
    try (DeviceStats stats = torch_cuda.getAllocator().getDeviceStats((byte) card)) {
      return info[0] + current(stats.reserved_bytes()) - current(stats.allocated_bytes());
    }
  }

  private static long[] info(int card) {
    Cuda.boot();
    try (Cuda.Current current = Cuda.current(card);
        SizeTPointer free = new SizeTPointer(1);
        SizeTPointer total = new SizeTPointer(1)) {
      Cuda.check(cudart.cuMemGetInfo(free, total), "the memory of the card");
      return new long[] {free.get(), total.get()};
    }
  }

  /** Bytes of tensors now. */
  public static long allocated(int card) {
    Cuda.boot();
    try (DeviceStats stats = torch_cuda.getAllocator().getDeviceStats((byte) card)) {
      return current(stats.allocated_bytes());
    }
  }

  /** Most bytes of tensors at one time, since the start or {@link #resetPeak}. */
  public static long peak(int card) {
    Cuda.boot();
    try (DeviceStats stats = torch_cuda.getAllocator().getDeviceStats((byte) card);
        Stat stat = stats.allocated_bytes()) {
      return stat.peak();
    }
  }

  public static void resetPeak(int card) {
    Cuda.boot();
    torch_cuda.getAllocator().resetPeakStats((byte) card);
  }

  private static long current(Stat stat) {
    try (stat) {
      return stat.current();
    }
  }

  /** Returns memory that no tensor uses to the card. */
  public static void emptyCache() {
    Cuda.boot();
    torch_cuda.getAllocator().emptyCache();
  }

  /** Waits until everything given to the card is done. */
  public static void synchronise(int card) {
    Cuda.boot();
    try (Cuda.Current current = Cuda.current(card)) {
      torch_cuda.device_synchronize();
    }
  }
}
