package dev.gossamer.video;

import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import java.nio.channels.ClosedByInterruptException;
import java.util.function.Function;

/**
 * Takes an interruption of the generating thread for a wish to stop. Java closes any file that an
 * interrupted thread reads or writes, so the mark is taken off as soon as it is seen, for the state
 * to be saved, and put back when the run is over.
 */
final class Interruptible implements Progress {
  private final Progress progress;
  private boolean interrupted;

  private Interruptible(Progress progress) {
    this.progress = progress;
  }

  /** Runs work that asks its {@link Progress} whether to stop. */
  static <T> T run(Progress progress, Function<Progress, T> work) {
    Interruptible told = new Interruptible(progress);
    try {
      return work.apply(told);
    } catch (GossamerException e) {
      if (e.getCause() instanceof ClosedByInterruptException) {
        told.interrupted = true;
        throw new InterruptedRunException("Stopped while reading or writing files", "", e);
      }
      throw e;
    } finally {
      if (told.interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public boolean cancelled() {
    interrupted |= Thread.interrupted();
    return interrupted || progress.cancelled();
  }

  @Override
  public void begin(Stage stage, int steps) {
    progress.begin(stage, steps);
  }

  @Override
  public void advance(Stage stage, int done, int steps) {
    progress.advance(stage, done, steps);
  }

  @Override
  public void end(Stage stage, double seconds) {
    progress.end(stage, seconds);
  }

  @Override
  public void note(String line) {
    progress.note(line);
  }
}
