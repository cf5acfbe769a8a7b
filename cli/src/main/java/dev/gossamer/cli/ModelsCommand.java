package dev.gossamer.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gossamer models}: holds what can be done with checkpoints. */
@Command(
    name = "models",
    description = "Look at checkpoints, or make one of random weights.",
    abbreviateSynopsis = true,
    synopsisSubcommandLabel = "COMMAND")
final class ModelsCommand implements Runnable {
  @Mixin private CommonArguments common;
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "No command given");
  }
}
