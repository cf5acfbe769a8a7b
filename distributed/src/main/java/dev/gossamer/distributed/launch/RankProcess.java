package dev.gossamer.distributed.launch;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** One rank while it runs: its process and the threads that pass on what it writes. */
final class RankProcess {
  private static final int CHUNK = 1 << 13;

  private final int rank;
  private final Process process;
  private final RankLines errors;
  private final List<Thread> readers;

  /**
   * Begins to read from a process that has just started.
   *
   * @param out where its marked lines of stdout go
   * @param err where those of stderr go
   * @param turn held while lines are written
   * @param log takes both streams unmarked
   */
  RankProcess(
      int rank, Process process, OutputStream out, OutputStream err, Object turn, RankLog log) {
    this.rank = rank;
    this.process = process;
    this.errors = new RankLines(rank, err, turn);
    RankLines lines = new RankLines(rank, out, turn);
    this.readers =
        List.of(
            reader("out", process.getInputStream(), lines, log.out()),
            reader("err", process.getErrorStream(), errors, log.err()));
    readers.forEach(Thread::start);
  }

  int rank() {
    return rank;
  }

  Process process() {
    return process;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  void onExit(Consumer<RankProcess> listener) {
    process.onExit().thenRun(() -> listener.accept(this));
  }

  /** How it ended, as a shell would tell: 128 and the signal's number if one killed it. */
  int exitCode() {
    return process.exitValue();
  }

  /** The last line of stderr that is not blank; empty if there was none. */
  String lastErrorLine() {
    return errors.last();
  }

  /** Waits until all its output is passed on; not longer, as others may hold its streams open. */
  void drain(Duration longest) throws InterruptedException {
    long deadline = System.nanoTime() + longest.toNanos();
    for (Thread reader : readers) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      if (left > 0) {
        reader.join(left);
      }
    }
  }

  private Thread reader(String name, InputStream from, RankLines lines, OutputStream log) {
    Thread thread = new Thread(() -> pass(from, lines, log), "rank-" + rank + "-" + name);
    thread.setDaemon(true);
    return thread;
  }

  /**
   * Passes on until the end. If nobody takes the lines any more, the rank must not stop for it, so
   * it is read all the same.
   */
  private void pass(InputStream from, RankLines lines, OutputStream log) {
    byte[] chunk = new byte[CHUNK];
    boolean taken = true;
    boolean ended = false;
    while (true) {
      int count = read(from, chunk);
      if (count < 0 && ended) {
        break;
      }
      if (count < 0) {
        // When a process ends, Java moves what is left in its pipe to a buffer of its own, and a
        // read at that moment finds the pipe empty and ended. The rest is there after the end.
        ended = awaitEnd();
        continue;
      }
      taken = taken && attempt(() -> lines.take(chunk, count));
      attempt(() -> log.write(chunk, 0, count));
    }
    if (taken) {
      attempt(lines::end);
    }
    attempt(log::close);
  }

  private static int read(InputStream from, byte[] chunk) {
    try {
      return from.read(chunk);
    } catch (IOException e) {
      return -1; // closed by Java after the process ended
    }
  }

  private boolean awaitEnd() {
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return true;
  }

  /** Writing of any kind. */
  private interface Writing {
    void run() throws IOException;
  }

  private static boolean attempt(Writing writing) {
    try {
      writing.run();
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
