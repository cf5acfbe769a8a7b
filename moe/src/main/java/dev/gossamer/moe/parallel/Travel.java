package dev.gossamer.moe.parallel;

import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.function.Supplier;

/**
 * What all journeys of a layer's rows have in common.
 *
 * @param wire type of rows that travel
 * @param compute type in which they are computed with
 * @param device where rows are
 * @param threads over which rows are gathered and summed
 * @param clock is told what takes how long
 */
record Travel(DType wire, DType compute, Device device, Threads threads, PhaseClock clock) {
  private static final int BLOCK = 64;

  /** Weights and gradients of weights travel unrounded. */
  DType exact() {
    return compute == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
  }

  /** Rows with undefined content. */
  Tensor room(DType type, long... shape) {
    return Tensor.empty(type, device, shape);
  }

  /** Places of rows, as tensors take them. */
  Tensor index(int[] numbers) {
    return Tensor.of(numbers, numbers.length).to(device).to(DType.INT64);
  }

  <T> T timed(Phase phase, Supplier<T> work) {
    return clock.time(phase, work);
  }

  interface TokenBlock {
    void of(int from, int count);
  }

  /** Does something for all tokens, some at a time, on all threads; a card takes all at once. */
  void eachBlock(Phase phase, int tokens, TokenBlock work) {
    int size = device.isCpu() ? BLOCK : Math.max(1, tokens);
    timed(
        phase,
        () -> {
          threads.forEach(
              (tokens + size - 1) / size,
              block -> work.of(block * size, Math.min(size, tokens - block * size)));
          return null;
        });
  }
}
