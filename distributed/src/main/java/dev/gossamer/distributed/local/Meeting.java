package dev.gossamer.distributed.local;

import dev.gossamer.distributed.CommunicationException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/** Where the threads of a group come together: each brings something and sees what all brought. */
final class Meeting {
  private final Collapse collapse;
  private final Duration patience;
  private final Lock lock = new ReentrantLock();
  private final Condition complete = lock.newCondition();
  private final int size;
  private List<Object> brought;
  private int arrived;
  private Round round = new Round();

  /** One coming together: its result stays with those who took part when the next one begins. */
  private static final class Round {
    private List<Object> all;
  }

  Meeting(int size, Duration patience, Collapse collapse) {
    this.size = size;
    this.patience = patience;
    this.collapse = collapse;
    this.brought = empty();
    collapse.watch(this::wake);
  }

  int size() {
    return size;
  }

  Duration patience() {
    return patience;
  }

  Collapse collapse() {
    return collapse;
  }

  private List<Object> empty() {
    List<Object> slots = new ArrayList<>();
    for (int rank = 0; rank < size; rank++) {
      slots.add(null);
    }
    return slots;
  }

  private void wake() {
    lock.lock();
    try {
      complete.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits for all ranks.
   *
   * @param operation for the message, if they do not come
   * @return what each rank brought, by rank
   */
  List<Object> meet(int rank, Object thing, String operation) {
    lock.lock();
    try {
      collapse.check();
      Round mine = round;
      brought.set(rank, thing);
      arrived++;
      if (arrived == size) {
        mine.all = brought;
        brought = empty();
        arrived = 0;
        round = new Round();
        complete.signalAll();
        return mine.all;
      }
      long left = patience.toNanos();
      while (mine.all == null) {
        collapse.check();
        if (left <= 0) {
          throw late(rank, operation);
        }
        left = complete.awaitNanos(left);
      }
      return mine.all;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CommunicationException("Rank " + rank + " was interrupted in " + operation, "", e);
    } finally {
      lock.unlock();
    }
  }

  private CommunicationException late(int rank, String operation) {
    List<Integer> missing = new ArrayList<>();
    for (int peer = 0; peer < size; peer++) {
      if (brought.get(peer) == null) {
        missing.add(peer);
      }
    }
    return new CommunicationException(
        "Rank "
            + rank
            + " waited "
            + TimeUnit.NANOSECONDS.toSeconds(patience.toNanos())
            + " s in "
            + operation
            + (missing.size() == 1 ? " for rank " : " for ranks ")
            + String.join(", ", missing.stream().map(String::valueOf).toList()),
        "See what that rank was doing, or allow more time");
  }
}
