package dev.gossamer.distributed.c10d;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Work;

/**
 * Gloo's sends and receives under way. The thread that has begun them waits for them; another may
 * end its wait.
 */
final class Works implements AutoCloseable {
  private final List<Work> works = new ArrayList<>();
  private boolean aborted;

  synchronized void add(Work work) {
    works.add(work.retainReference());
    if (aborted) {
      work.abort();
    }
  }

  /**
   * Waits for all.
   *
   * @throws RuntimeException what Gloo throws, or that the wait was ended
   */
  void await() {
    for (int i = 0; i < works.size(); i++) { // only this thread adds
      if (!works.get(i)._wait()) {
        throw ended();
      }
    }
  }

  /** What ends a wait for a process that is no more, in the words that Gloo has for it. */
  static IllegalStateException ended() {
    return new IllegalStateException("Connection closed: the process has ended");
  }

  /** Ends the wait, by another thread than the waiting one. */
  synchronized void abort() {
    aborted = true;
    works.forEach(Work::abort);
  }

  /** Forgets all that was added. */
  synchronized void clear() {
    works.forEach(Work::releaseReference);
    works.clear();
  }

  @Override
  public void close() {
    clear();
  }
}
