package dev.gossamer.video;

import dev.gossamer.tensor.Scope;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Decides when a run saves its state: often enough that a killed process loses little, seldom
 * enough that writing takes no more than a twentieth of the time.
 */
final class Checkpoints {
  private static final int PAUSE = 19;

  private final Optional<Path> file;
  private boolean written;
  private long nextAt;

  /**
   * @param file where the state goes; empty to save none
   */
  Checkpoints(Optional<Path> file) {
    this.file = file;
  }

  /** Saves if it is time to; called between steps. */
  void offer(Supplier<RunState> state) {
    if (!written || System.nanoTime() - nextAt >= 0) {
      save(state);
    }
  }

  /**
   * Saves now.
   *
   * @return where, if anywhere
   */
  Optional<Path> save(Supplier<RunState> state) {
    if (file.isPresent()) {
      long start = System.nanoTime();
      try (Scope scope = Scope.open()) {
        state.get().write(file.get());
      }
      long end = System.nanoTime();
      nextAt = end + PAUSE * (end - start);
      written = true;
    }
    return file;
  }
}
