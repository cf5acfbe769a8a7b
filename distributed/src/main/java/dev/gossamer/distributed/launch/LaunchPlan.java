package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * What to start, and how long it may take.
 *
 * @param command the program of every rank and its arguments
 * @param placement which ranks, where
 * @param timeout how long all of it may take; zero: as long as it likes
 * @param grace how long a rank that is asked to end may take before it is killed
 * @param logs a folder for the unmarked output of each rank; the empty path: none
 */
public record LaunchPlan(
    List<String> command, Placement placement, Duration timeout, Duration grace, Path logs) {
  /** The time to end, unless said otherwise. */
  public static final Duration GRACE = Duration.ofSeconds(15);

  /** Tells each rank, in seconds, how long it has from SIGTERM until it is killed. */
  public static final String GRACE_VARIABLE = "GOSSAMER_GRACE";

  /** The most, as the command line itself has a minute to end after a signal. */
  public static final Duration LONGEST_GRACE = Duration.ofSeconds(30);

  public LaunchPlan {
    command = List.copyOf(command);
    if (command.isEmpty()) {
      throw new UsageException(
          "There is nothing to launch", "Add the command, as in: gossamer launch --nproc 4 -- ...");
    }
    if (timeout.isNegative()) {
      throw new UsageException("A time of " + timeout.toSeconds() + " s is over", "Allow more");
    }
    if (grace.isNegative() || grace.compareTo(LONGEST_GRACE) > 0) {
      throw new UsageException(
          "Ranks cannot have " + grace.toSeconds() + " s to end",
          "Give them 0 to " + LONGEST_GRACE.toSeconds() + " s");
    }
  }

  /** No limit of time, {@link #GRACE} to end, no files. */
  public static LaunchPlan of(List<String> command, Placement placement) {
    return new LaunchPlan(command, placement, Duration.ZERO, GRACE, Path.of(""));
  }

  /** The same elsewhere. */
  public LaunchPlan on(Placement other) {
    return new LaunchPlan(command, other, timeout, grace, logs);
  }

  public LaunchPlan withTimeout(Duration longest) {
    return new LaunchPlan(command, placement, longest, grace, logs);
  }

  public LaunchPlan withGrace(Duration patience) {
    return new LaunchPlan(command, placement, timeout, patience, logs);
  }

  public LaunchPlan withLogs(Path folder) {
    return new LaunchPlan(command, placement, timeout, grace, folder);
  }

  boolean isTimed() {
    return !timeout.isZero();
  }

  boolean isLogged() {
    return !logs.toString().isEmpty();
  }
}
