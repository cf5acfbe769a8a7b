package dev.gossamer.lm.serve;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Texts that an engine continues for one who asked; the events of each come in order, and the last
 * says how it ended.
 */
final class Submission {
  private final BlockingQueue<TextEvent> events = new LinkedBlockingQueue<>();
  private final Runnable wake;
  private volatile boolean cancelled;

  Submission(Runnable wake) {
    this.wake = wake;
  }

  /** Waits for the next event; empty if none came within the patience. */
  Optional<TextEvent> next(Duration patience) throws InterruptedException {
    return Optional.ofNullable(events.poll(patience.toNanos(), TimeUnit.NANOSECONDS));
  }

  /** Nobody wants the texts any more; those that have ended are as they are. */
  void cancel() {
    cancelled = true;
    wake.run();
  }

  boolean cancelled() {
    return cancelled;
  }

  void publish(TextEvent event) {
    events.add(event);
  }
}
