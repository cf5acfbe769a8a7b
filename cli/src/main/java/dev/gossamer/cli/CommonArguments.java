package dev.gossamer.cli;

import dev.gossamer.tensor.Machine;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What every command understands. */
final class CommonArguments {
  /** The option that {@link FailureLine} looks for. */
  static final String VERBOSE = "--verbose";

  @Option(names = VERBOSE, description = "Show stack traces of failures.")
  private boolean verbose;

  @Option(
      names = "--libtorch",
      paramLabel = "DIR",
      description =
          "Use the libtorch in the folder torch/lib of an installed PyTorch 2.10 or 2.11, as"
              + " GOSSAMER_LIBTORCH does (default: the one in the jars).")
  private void libtorch(Path folder) {
    // Read when libtorch is first needed, which is after the command line.
    Machine.useLibtorch(folder);
  }

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;
}
