package dev.gossamer.tensor.cuda;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.libtorch.cuda.CudaCard;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * An NVIDIA card.
 *
 * @param index its number, as in {@code cuda:0}
 * @param name for example {@code NVIDIA H200}
 * @param capability its compute capability, major number times ten and minor one: 90 for 9.0
 * @param multiprocessors that compute side by side
 * @param sharedBytes shared memory that one block of a kernel may use
 * @param memoryBytes its memory in all
 * @param driver the newest CUDA that its driver knows, 13000 for 13.0
 */
public record Card(
    int index,
    String name,
    int capability,
    int multiprocessors,
    int sharedBytes,
    long memoryBytes,
    int driver) {

  /**
   * The card of a device.
   *
   * @throws EnvironmentException if there is none, or none can be used here, with the remedy
   */
  public static Card of(Device device) {
    if (device.isCpu()) {
      throw new IllegalArgumentException("A processor is no card");
    }
    int index = device.index();
    int driver = CudaCard.driver(); // says what is missing, where CUDA cannot be used
    int count = CudaCard.count();
    if (index >= count) {
      throw new EnvironmentException(
          "There is no device "
              + device
              + ": libtorch sees "
              + count
              + (count == 1 ? " card" : " cards"),
          "Use " + (count == 1 ? "cuda:0" : "cuda:0 to cuda:" + (count - 1)));
    }
    return new Card(
        index,
        CudaCard.name(index),
        CudaCard.capability(index),
        CudaCard.multiprocessors(index),
        CudaCard.sharedMemory(index),
        CudaCard.memory(index),
        driver);
  }

  /**
   * All cards that libtorch can use; empty on a machine without, where nothing of CUDA is loaded.
   */
  public static List<Card> all() {
    return IntStream.range(0, CudaCard.count())
        .mapToObj(index -> of(new Device(Device.Kind.CUDA, index)))
        .toList();
  }

  /** Bytes that the card has to give; what libtorch keeps for its next tensors is not in it. */
  public long freeBytes() {
    return CudaCard.free(index);
  }

  /**
   * Bytes of the card that this process took since it first asked, tensors that are gone included:
   * libtorch keeps their memory for the next ones.
   */
  public long takenBytes() {
    return CudaCard.taken(index);
  }

  /** Waits until everything given to the card is done. */
  public void synchronise() {
    CudaCard.synchronise(index);
  }

  /** Waits for a device, if it is one that works on its own. */
  public static void synchronise(Device device) {
    if (!device.isCpu()) {
      CudaCard.synchronise(device.index());
    }
  }

  /** {@link #takenBytes} of a device; empty for a processor. */
  public static OptionalLong takenBytes(Device device) {
    return device.isCpu() ? OptionalLong.empty() : OptionalLong.of(CudaCard.taken(device.index()));
  }

  /** What NVCC and NVRTC call machine code for this card: Hopper's has instructions of its own. */
  public String architecture() {
    return "sm_" + capability + (capability == 90 ? "a" : "");
  }

  /** Its compute capability as people write it, for example {@code 9.0}. */
  public String capabilityText() {
    return capability / 10 + "." + capability % 10;
  }
}
