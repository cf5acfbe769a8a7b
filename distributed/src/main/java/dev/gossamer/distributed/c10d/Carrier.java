package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * One thread for native calls that wait for other processes: it keeps their order, lets the caller
 * compute meanwhile, and can be given up if native code never returns.
 */
final class Carrier implements AutoCloseable {
  private final ExecutorService thread;

  Carrier(String name) {
    thread =
        Executors.newSingleThreadExecutor(
            task -> {
              Thread made = new Thread(task, name);
              made.setDaemon(true); // does not keep a process that gave it up
              return made;
            });
  }

  /** Begins a task after all earlier ones. */
  <T> Future<T> begin(Callable<T> task) {
    try {
      return thread.submit(task);
    } catch (RejectedExecutionException e) {
      throw new CommunicationException("This group is closed", "", e);
    }
  }

  /**
   * Waits for a task.
   *
   * @throws CommunicationException if it failed by anything else than an exception of its own
   */
  static <T> T await(Future<T> task) {
    try {
      return task.get();
    } catch (ExecutionException e) {
      throw own(e);
    } catch (CancellationException e) {
      throw new CommunicationException("The group was closed in an exchange", "", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CommunicationException("This rank was interrupted in an exchange", "", e);
    }
  }

  /**
   * Waits for a task only so long.
   *
   * @throws TimeoutException after that; the task may still be running
   */
  static <T> T await(Future<T> task, Duration limit) throws TimeoutException {
    try {
      return task.get(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw own(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CommunicationException("This rank was interrupted", "", e);
    }
  }

  private static RuntimeException own(ExecutionException e) {
    return e.getCause() instanceof RuntimeException known
        ? known
        : new CommunicationException("An exchange failed: " + e.getCause(), "", e.getCause());
  }

  /** Ends the thread, when what it runs returns; drops what it has not begun. */
  @Override
  public void close() {
    thread.shutdownNow();
  }

  /** Whether all ended in time after {@link #close}. */
  boolean ended(Duration limit) {
    try {
      return thread.awaitTermination(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
