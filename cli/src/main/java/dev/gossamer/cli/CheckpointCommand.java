package dev.gossamer.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gossamer checkpoint}: what training saved. */
@Command(
    name = "checkpoint",
    description = "Check, export or divide anew what training saved.",
    synopsisSubcommandLabel = "COMMAND",
    sortOptions = false)
final class CheckpointCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private CommonArguments common;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Name verify, export or reshard");
  }
}
