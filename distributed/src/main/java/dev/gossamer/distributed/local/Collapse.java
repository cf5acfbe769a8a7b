package dev.gossamer.distributed.local;

import dev.gossamer.distributed.CommunicationException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;

/** The first failure among the ranks of a run; it ends every wait in every group. */
final class Collapse {
  private final AtomicReference<RankFailure> first = new AtomicReference<>();
  private final List<Runnable> watchers = new CopyOnWriteArrayList<>();

  record RankFailure(int rank, Throwable cause) {}

  void watch(Runnable watcher) {
    watchers.add(watcher);
  }

  void failed(int rank, Throwable cause) {
    if (first.compareAndSet(null, new RankFailure(rank, cause))) {
      watchers.forEach(Runnable::run);
    }
  }

  RankFailure first() {
    return first.get();
  }

  /**
   * @throws CommunicationException if a rank has failed
   */
  void check() {
    RankFailure failure = first.get();
    if (failure != null) {
      throw new CommunicationException(
          "Rank " + failure.rank() + " failed: " + failure.cause().getMessage(),
          "",
          failure.cause());
    }
  }
}
