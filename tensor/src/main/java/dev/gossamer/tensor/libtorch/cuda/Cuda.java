package dev.gossamer.tensor.libtorch.cuda;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.libtorch.Libtorch;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * What every call of CUDA needs: bindings that are loaded, a card that is current, a checked code.
 */
final class Cuda {
  private static final int OUT_OF_MEMORY = 2;

  private Cuda() {}

  /**
   * @throws EnvironmentException if no card can be used here
   */
  static void boot() {
    Libtorch.bootCuda();
  }

  /**
   * A card that is current for this thread until it is closed; then the one before is again. It is
   * set even if it seems to be: a thread that never called CUDA has no context yet.
   */
  static Current current(int card) {
    byte before = torch_cuda.current_device();
    torch_cuda.set_device((byte) card, true);
    return () -> {
      if (before != card) {
        torch_cuda.set_device(before, true);
      }
    };
  }

  /** See {@link #current}. */
  interface Current extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * @param code what a function of CUDA's driver returned
   * @param what was being done, for the message
   */
  static void check(int code, String what) {
    if (code == 0) {
      return;
    }
    String reason = "error " + code;
    try (PointerPointer<BytePointer> text = new PointerPointer<>(1)) {
      if (cudart.cuGetErrorString(code, text) == 0) {
        reason = text.get(BytePointer.class, 0).getString();
      }
    }
    if (code == OUT_OF_MEMORY) {
      throw new EnvironmentException(
          "Out of memory of the card in " + what, "Use fewer frames or a smaller size");
    }
    throw new GossamerException("CUDA failed in " + what + ": " + reason, "");
  }
}
