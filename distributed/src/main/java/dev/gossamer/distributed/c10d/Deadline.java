package dev.gossamer.distributed.c10d;

import java.time.Duration;

/** The end of a wait of several steps. */
final class Deadline {
  private final Duration patience;
  private final long end;

  private Deadline(Duration patience) {
    this.patience = patience;
    this.end = System.nanoTime() + patience.toNanos();
  }

  static Deadline in(Duration patience) {
    return new Deadline(patience);
  }

  /** Never negative. */
  Duration left() {
    return Duration.ofNanos(Math.max(0, end - System.nanoTime()));
  }

  boolean hasPassed() {
    return System.nanoTime() - end >= 0;
  }

  /** The whole wait, for messages: {@code 8.5 s}. */
  @Override
  public String toString() {
    return text(patience);
  }

  static String text(Duration duration) {
    return duration.toMillis() % 1000 == 0
        ? duration.toSeconds() + " s"
        : duration.toMillis() / 1000.0 + " s";
  }
}
