package dev.gossamer.bench;

import dev.gossamer.tensor.failure.InterruptedRunException;

/** Hears how a benchmark comes along, and may stop it. */
public interface BenchProgress {
  /** Hears nothing; stops when the measuring thread is interrupted. */
  BenchProgress NONE = line -> {};

  /** What is measured next, in one line. */
  void note(String line);

  /** Asked between measurements: whether to stop. */
  default boolean cancelled() {
    return Thread.currentThread().isInterrupted();
  }

  /**
   * @throws InterruptedRunException if the benchmark should stop
   */
  default void check() {
    if (cancelled()) {
      throw new InterruptedRunException(
          "The benchmark was interrupted", "Run it again; what is on disk is kept");
    }
  }
}
