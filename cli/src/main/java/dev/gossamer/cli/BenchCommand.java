package dev.gossamer.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gossamer bench}: holds the benchmarks of module bench. */
@Command(
    name = "bench",
    description = "Measure against rivals on this machine.",
    abbreviateSynopsis = true,
    synopsisSubcommandLabel = "BENCHMARK",
    sortOptions = false)
final class BenchCommand implements Runnable {
  @Mixin private CommonArguments common;
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "No benchmark given");
  }
}
