package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Sees to it that no process outlives its launcher: a small shell that reads, from a pipe, whom to
 * watch. Once the pipe ends, by {@link #close()} or because the launcher died, be it by {@code kill
 * -9}, it asks all to end (SIGTERM), waits, and kills who is left. So an ordinary end, a failure,
 * Ctrl-C and a crash all take the same way.
 *
 * <p>Each watched process leads a session of its own where the system has {@code setsid}. Then
 * signals reach whatever it started, also after it has ended itself, and Ctrl-C reaches the
 * launcher alone, which passes it on. For one thread.
 */
final class Warden implements AutoCloseable {
  /** Beyond the grace of the watched: a busy machine is slow to start and end processes. */
  private static final Duration MARGIN = Duration.ofSeconds(10);

  private static final String SETSID = "setsid";

  /** Argument: tenths of a second between SIGTERM and SIGKILL. A target is a pid, or -group. */
  private static final String SCRIPT =
      """
      trap '' HUP INT TERM
      targets=
      send() { for target in $targets; do kill -s "$1" -- "$target" 2>/dev/null; done; }
      alive() {
        for target in $targets; do kill -s 0 -- "$target" 2>/dev/null && return 0; done
        return 1
      }
      while read -r word rest; do
        case $word in
          watch) targets="$targets $rest" ;;
          send) send "$rest" ;;
          ended)
            # What a rank leaves behind is asked to end. If nothing is left, its number is soon
            # another's and must be forgotten.
            kept=
            for target in $targets; do
              [ "$target" = "$rest" ] && ! kill -s TERM -- "$target" 2>/dev/null ||
                kept="$kept $target"
            done
            targets=$kept ;;
        esac
      done
      send TERM
      left=$1
      while [ "$left" -gt 0 ] && alive; do sleep 0.1; left=$((left - 1)); done
      send KILL
      """;

  private final Duration grace;
  private final List<String> session;
  private final Process shell;
  private final OutputStream orders;
  private final List<Process> watched = new ArrayList<>();

  private Warden(Duration grace, List<String> session) throws IOException {
    this.grace = grace;
    this.session = session;
    List<String> words = new ArrayList<>(session);
    words.addAll(List.of(RankCommand.shell(), "-c", SCRIPT, "gossamer-warden"));
    words.add(Long.toString(grace.toMillis() / 100));
    // It must not hold the launcher's own streams: whoever reads them waits for their end.
    this.shell =
        new ProcessBuilder(words)
            .redirectOutput(Redirect.DISCARD)
            .redirectError(Redirect.DISCARD)
            .start();
    this.orders = shell.getOutputStream();
  }

  /**
   * @param grace between SIGTERM and SIGKILL
   */
  static Warden start(Duration grace) {
    boolean sessions = !RankCommand.find(SETSID).isEmpty();
    try {
      return new Warden(grace, sessions ? List.of(SETSID) : List.of());
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot start the process that watches the ranks: " + e.getMessage(),
          "Free memory and processes (ulimit -u)",
          e);
    }
  }

  /** Starts a process and watches it. */
  Process start(ProcessBuilder builder) throws IOException {
    List<String> words = new ArrayList<>(session);
    words.addAll(builder.command());
    Process process = builder.command(words).start();
    watched.add(process);
    order("watch " + target(process));
    return process;
  }

  /** Tells that a watched process has ended; what it started and left behind is to end too. */
  void ended(Process process) {
    order("ended " + target(process));
  }

  /** Sends a signal, such as {@code INT}, to all watched. */
  void signal(String name) {
    order("send " + name);
  }

  /** Ends all that is left of the watched; returns when they are gone. */
  @Override
  public void close() {
    for (Process process : watched) {
      if (process.isAlive()) {
        process
            .descendants()
            .filter(child -> session.isEmpty() || !leads(process, child))
            .forEach(child -> order("watch " + child.pid()));
      }
    }
    try {
      orders.close();
      shell.waitFor(grace.plus(MARGIN).toMillis(), TimeUnit.MILLISECONDS);
    } catch (IOException e) {
      // the shell is gone: what follows is left to do
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    // Reached with processes alive only if someone killed the shell.
    shell.destroyForcibly();
    for (Process process : watched) {
      if (process.isAlive()) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    }
  }

  private String target(Process process) {
    return (session.isEmpty() ? "" : "-") + process.pid();
  }

  /** Whether a signal to the leader's group reaches this one. */
  private static boolean leads(Process leader, ProcessHandle child) {
    try {
      String status = Files.readString(Path.of("/proc", Long.toString(child.pid()), "stat"));
      // pid (name) state parent group; a name may hold anything
      String group = status.substring(status.lastIndexOf(')')).split(" ")[3];
      return group.equals(Long.toString(leader.pid()));
    } catch (IOException e) {
      return true; // gone
    }
  }

  private void order(String line) {
    try {
      orders.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
      orders.flush();
    } catch (IOException e) {
      // The shell was killed. close() does what it can without it.
    }
  }
}
