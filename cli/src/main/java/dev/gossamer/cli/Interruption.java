package dev.gossamer.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Ctrl-C and SIGTERM: the command is asked to stop, gets time to save what it has, and the process
 * ends with exit code 130.
 */
final class Interruption {
  static final int EXIT_CODE = 130;

  private final AtomicBoolean asked = new AtomicBoolean();
  private final CountDownLatch ended = new CountDownLatch(1);

  /**
   * Begins to listen.
   *
   * @param patience how long a command may take to stop
   */
  static Interruption listen(Duration patience) {
    Interruption interruption = new Interruption();
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> interruption.stop(patience), "gossamer-interruption"));
    return interruption;
  }

  /** Whether the command should stop. */
  boolean asked() {
    return asked.get();
  }

  /** Tells that the command has ended, so that nothing waits for it. */
  void commandEnded() {
    ended.countDown();
  }

  private void stop(Duration patience) {
    if (ended.getCount() == 0) {
      return; // an ordinary exit
    }
    asked.set(true);
    try {
      ended.await(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    // The thread that runs the command cannot set the exit code once a signal began the shutdown.
    Runtime.getRuntime().halt(EXIT_CODE);
  }
}
