package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.c10d.Presence.Answer;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Looks, while an exchange lasts, whether the processes of the others are still there. Gloo notices
 * the end of a process that it waits for only if no message of it was half received or half sent;
 * else it waits until the time is over.
 */
final class Watch implements AutoCloseable {
  private static final Duration ROUND = Duration.ofSeconds(1);

  /** How long rows that a rank sent before it ended may still be on their way. */
  private static final Duration GRACE = Duration.ofSeconds(5);

  /** How many are asked in a round, so that the ranks of a large world do not drown each other. */
  private static final int ASKED = 16;

  private final Presence presence;
  private final int[] members;
  private final int rank;
  private final Runnable interrupt;
  private final ScheduledExecutorService thread;
  private volatile long exchange; // odd while one is under way
  private long seen; // these four: of the watching thread
  private int next;
  private Deadline grace;
  private boolean over;

  /**
   * @param members the ranks of the group, as the world knows them
   * @param rank this one, as the world knows it
   * @param interrupt ends the exchange
   */
  Watch(Presence presence, int[] members, int rank, Runnable interrupt) {
    this.presence = presence;
    this.members = members;
    this.rank = rank;
    this.interrupt = interrupt;
    this.thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread made = new Thread(task, "gossamer-watch-" + rank);
              made.setDaemon(true);
              return made;
            });
    thread.scheduleWithFixedDelay(
        this::look, ROUND.toMillis(), ROUND.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** An exchange begins; of the thread that carries exchanges out, as {@link #ends}. */
  void begins() {
    exchange++;
  }

  void ends() {
    exchange++;
  }

  private void look() {
    long now = exchange;
    boolean lasts = now % 2 == 1 && now == seen;
    seen = now;
    if (!lasts) {
      grace = null;
    } else if (grace == null) {
      grace = anyGone() ? Deadline.in(GRACE) : null;
    } else if (grace.hasPassed() && !over) {
      over = true;
      interrupt.run();
    }
  }

  private boolean anyGone() {
    for (int i = 0; i < Math.min(ASKED, members.length); i++) {
      int member = members[next++ % members.length];
      if (member != rank && presence.of(member) == Answer.GONE) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
