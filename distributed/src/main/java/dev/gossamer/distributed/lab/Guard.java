package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.launch.RankCommand;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Takes a lab away: a small shell that waits for the end of a pipe. It ends by {@link #close()}, or
 * because the process that built the lab died, be it by {@code kill -9}; so an ordinary end, a
 * failure, Ctrl-C, a crash and {@code lab clean} all take the same way. Deletes only what the lab's
 * entry in the register names, then the entry.
 */
final class Guard implements AutoCloseable {
  /** After a crash the launcher's warden first asks ranks to end; its longest patience and more. */
  private static final int PATIENCE_TENTHS = 350;

  private static final long LONGEST_SECONDS = 20;

  /** Arguments: tenths of a second that processes have to end, ip, the entry, namespaces. */
  private static final String SCRIPT =
      """
      trap '' HUP INT TERM
      left=$1 ip=$2 entry=$3
      shift 3
      while read -r word; do [ "$word" = now ] && left=0; done
      inside() {
        for name in "$@"; do
          [ ! -e "/var/run/netns/$name" ] || "$ip" netns pids "$name"
        done
      }
      while [ "$left" -gt 0 ] && [ -n "$(inside "$@")" ]; do sleep 0.1; left=$((left - 1)); done
      # Whoever is still there got away from the launcher. A namespace lives as long as they do.
      left=50
      while pids=$(inside "$@"); [ -n "$pids" ] && [ "$left" -gt 0 ]; do
        kill -s KILL $pids
        sleep 0.1
        left=$((left - 1))
      done
      for name in "$@"; do
        [ ! -e "/var/run/netns/$name" ] || "$ip" netns del "$name" || kept=1
      done
      [ -z "$kept" ] && rm -f "$entry"
      """;

  private final LabRecord entry;
  private final Process shell;
  private final OutputStream orders;

  private Guard(LabRecord entry, Process shell) {
    this.entry = entry;
    this.shell = shell;
    this.orders = shell.getOutputStream();
  }

  static Guard over(LabRecord entry) {
    List<String> words = new ArrayList<>();
    if (!RankCommand.find("setsid").isEmpty()) {
      words.add("setsid"); // Ctrl-C is not for the guard
    }
    words.addAll(List.of(RankCommand.shell(), "-c", SCRIPT, "gossamer-lab-guard"));
    words.addAll(List.of("" + PATIENCE_TENTHS, Iproute.path("ip"), entry.file().toString()));
    words.addAll(entry.namespaces());
    try {
      Process shell =
          new ProcessBuilder(words)
              .redirectOutput(Redirect.DISCARD)
              .redirectError(Redirect.DISCARD)
              .start();
      return new Guard(entry, shell);
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot start the process that guards the lab: " + e.getMessage(),
          "Free memory and processes (ulimit -u)",
          e);
    }
  }

  /**
   * Takes the lab away, with all processes in it.
   *
   * @throws EnvironmentException if something is left
   */
  @Override
  public void close() {
    try {
      orders.write("now\n".getBytes(StandardCharsets.US_ASCII));
      orders.close();
    } catch (IOException e) {
      // Someone killed the shell; told below.
    }
    boolean interrupted = Thread.interrupted(); // it is no reason to leave things behind
    try {
      if (shell.waitFor(LONGEST_SECONDS, TimeUnit.SECONDS) && shell.exitValue() == 0) {
        return;
      }
    } catch (InterruptedException e) {
      interrupted = true;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    throw new EnvironmentException(
        "Parts of the lab " + entry.names().lab() + " are left", "Run: gossamer lab clean");
  }
}
