package dev.gossamer.tensor;

import dev.gossamer.tensor.libtorch.Libtorch;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/**
 * The processor threads of a run: several Java threads, each of which issues operations that use
 * one thread inside. On small operations this is much faster than libtorch's own threads, whose
 * every operation waits for all of them.
 *
 * <p>Work items run in any order, so they must not depend on each other; each starts in a {@link
 * Scope} of its own. The calling thread works too. Nested calls share the same threads: an inner
 * call runs on the thread that makes it and on whichever others are idle.
 */
public final class Threads implements AutoCloseable {
  private final int count;
  private final ExecutorService workers;

  /**
   * @param count threads that compute, the calling one included, at least 1
   */
  public Threads(int count) {
    if (count < 1) {
      throw new IllegalArgumentException("At least one thread is needed, not " + count);
    }
    this.count = count;
    AtomicInteger number = new AtomicInteger();
    this.workers =
        count == 1
            ? null
            : Executors.newFixedThreadPool(
                count - 1,
                task -> {
                  Thread thread =
                      new Thread(
                          () -> {
                            Libtorch.intraOpThreads(1);
                            task.run();
                          },
                          "gossamer-" + number.incrementAndGet());
                  thread.setDaemon(true);
                  return thread;
                });
  }

  public int count() {
    return count;
  }

  /** What the cores of this machine suggest. */
  public static int available() {
    return Runtime.getRuntime().availableProcessors();
  }

  /**
   * Runs {@code work} for 0 .. items - 1 and returns when all are done; items are taken in order
   * from one counter, so put long ones first. If one fails, the rest is skipped and its failure
   * thrown.
   */
  public void forEach(int items, IntConsumer work) {
    AtomicInteger next = new AtomicInteger();
    Callable<Void> loop =
        () -> {
          try {
            for (int item = next.getAndIncrement(); item < items; item = next.getAndIncrement()) {
              try (Scope scope = Scope.open()) {
                work.accept(item);
              }
            }
          } catch (Throwable failure) {
            next.set(items);
            throw failure;
          }
          return null;
        };
    int shares = workers == null ? 0 : Math.max(0, Math.min(count - 1, items - 1));
    List<Share> asked = new ArrayList<>(shares);
    for (int i = 0; i < shares; i++) {
      Share share = new Share(loop);
      asked.add(share);
      workers.execute(share.task);
    }
    int before = Libtorch.intraOpThreads();
    Throwable failure = null;
    try {
      Libtorch.intraOpThreads(1);
      loop.call();
    } catch (Throwable first) {
      failure = first;
    } finally {
      Libtorch.intraOpThreads(before);
    }
    for (Share share : asked) {
      // A share that has not begun finds no item left; waiting for it could block on this very
      // call.
      if (share.begun.compareAndSet(false, true)) {
        continue;
      }
      Optional<Throwable> ofOther = failureOf(share.task);
      failure = failure == null ? ofOther.orElse(null) : failure;
    }
    if (failure instanceof RuntimeException e) {
      throw e;
    }
    if (failure instanceof Error e) {
      throw e;
    }
    if (failure != null) {
      throw new IllegalStateException("Work on another thread failed", failure);
    }
  }

  /**
   * Waits for another thread's share; empty if it went well. An interruption is put off until the
   * call is over: the shares use memory that the caller frees afterwards.
   */
  private static Optional<Throwable> failureOf(FutureTask<Void> share) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          share.get();
          return Optional.empty();
        } catch (ExecutionException e) {
          return Optional.of(e.getCause());
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** One thread's share of a call. Whoever sets {@code begun} decides whether it runs at all. */
  private static final class Share {
    private final AtomicBoolean begun = new AtomicBoolean();
    private final FutureTask<Void> task;

    Share(Callable<Void> loop) {
      this.task = new FutureTask<>(() -> begun.compareAndSet(false, true) ? loop.call() : null);
    }
  }

  /**
   * Runs work on the calling thread, with as many of libtorch's own threads inside each operation:
   * for what is not divided by {@link #forEach}.
   */
  public void inside(Runnable work) {
    int before = Libtorch.intraOpThreads();
    Libtorch.intraOpThreads(count);
    try {
      work.run();
    } finally {
      Libtorch.intraOpThreads(before);
    }
  }

  @Override
  public void close() {
    if (workers != null) {
      workers.shutdownNow();
    }
  }
}
