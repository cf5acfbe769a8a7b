package dev.gossamer.cli;

import dev.gossamer.lm.train.TrainConfig;
import picocli.CommandLine.Option;

/** How long a command trains, and how often it says so. */
final class PaceArguments {
  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Steps of the optimiser (default: the configuration's).")
  private Integer steps;

  @Option(
      names = "--log-every",
      paramLabel = "N",
      description = "Steps between lines (default: the configuration's, 10).")
  private Integer logEvery;

  /** A configuration with what the command line replaces. */
  TrainConfig of(TrainConfig config) {
    TrainConfig changed = steps == null ? config : config.with("steps", steps.toString());
    return logEvery == null ? changed : changed.with("logEvery", logEvery.toString());
  }
}
