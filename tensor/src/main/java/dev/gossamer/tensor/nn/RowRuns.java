package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;

/**
 * Cuts a sequence of tokens into runs that are worked on one after the other, each in a scope of
 * its own.
 *
 * @param rows tokens of a run, at least 1
 */
public record RowRuns(long rows) {
  private static final long CPU_BYTES = 3 << 19; // about what a core's second cache holds
  private static final long CUDA_BYTES = 1 << 29;
  private static final long CPU_ROWS = 256; // fewer, and reading the weights costs too much
  private static final long CUDA_ROWS = 4096;

  /**
   * @param inner the widest layer's numbers per token
   */
  public static RowRuns of(Device device, long inner) {
    long rowBytes = inner * DType.FLOAT32.bytes();
    return new RowRuns(
        device.isCpu()
            ? Math.max(CPU_ROWS, CPU_BYTES / rowBytes)
            : Math.max(CUDA_ROWS, CUDA_BYTES / rowBytes));
  }

  /** Work on the tokens from {@code start} on. */
  public interface Work {
    void run(long start, long rows);
  }

  public void forEach(long tokens, Work work) {
    for (long start = 0; start < tokens; start += rows) {
      try (Scope scope = Scope.open()) {
        work.run(start, Math.min(rows, tokens - start));
      }
    }
  }
}
