package dev.gossamer.moe.parallel;

import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import java.util.function.Supplier;

/**
 * What all journeys of a layer's rows have in common.
 *
 * @param wire type of rows that travel
 * @param compute type in which they are computed with
 * @param threads over which rows are gathered and summed
 * @param clock is told what takes how long
 */
record Travel(DType wire, DType compute, Threads threads, PhaseClock clock) {
  private static final int BLOCK = 64;

  /** Weights and gradients of weights travel unrounded. */
  DType exact() {
    return compute == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
  }

  <T> T timed(Phase phase, Supplier<T> work) {
    return clock.time(phase, work);
  }

  interface TokenBlock {
    void of(int from, int count);
  }

  /** Does something for all tokens, some at a time, on all threads. */
  void eachBlock(Phase phase, int tokens, TokenBlock work) {
    timed(
        phase,
        () -> {
          threads.forEach(
              (tokens + BLOCK - 1) / BLOCK,
              block -> work.of(block * BLOCK, Math.min(BLOCK, tokens - block * BLOCK)));
          return null;
        });
  }
}
