package dev.gossamer.cli;

import picocli.CommandLine.Option;

/** What every command understands. */
final class CommonArguments {
  /** The option that {@link FailureLine} looks for. */
  static final String VERBOSE = "--verbose";

  @Option(names = VERBOSE, description = "Show stack traces of failures.")
  private boolean verbose;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;
}
