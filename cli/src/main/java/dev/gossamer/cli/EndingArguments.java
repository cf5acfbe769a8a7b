package dev.gossamer.cli;

import dev.gossamer.distributed.launch.LaunchPlan;
import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Option;

/** When launched ranks are stopped, and where what they said is kept. */
final class EndingArguments {
  @Option(
      names = "--timeout",
      paramLabel = "S",
      defaultValue = "0",
      description = "Stop all ranks after so many seconds; 0: never (default: ${DEFAULT-VALUE}).")
  private int timeout;

  @Option(
      names = "--grace",
      paramLabel = "S",
      description =
          "Seconds from asking a rank to end until it is killed (default: ${DEFAULT-VALUE}).")
  private int grace = (int) LaunchPlan.GRACE.toSeconds();

  @Option(
      names = "--log-dir",
      paramLabel = "DIR",
      description = "Also write what each rank says to rank-0.out, rank-0.err, ...")
  private Path logs;

  LaunchPlan of(LaunchPlan plan) {
    LaunchPlan ending =
        plan.withTimeout(Duration.ofSeconds(timeout)).withGrace(Duration.ofSeconds(grace));
    return logs == null ? ending : ending.withLogs(logs);
  }
}
