package dev.gossamer.cli;

import dev.gossamer.distributed.lab.CleanedLab;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code gossamer lab clean}: takes away what crashes left behind. */
@Command(
    name = "clean",
    description = "Take away labs whose process has died; others are left alone.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class LabCleanCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Mixin private CommonArguments common;

  LabCleanCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    for (CleanedLab lab : CleanedLab.all()) {
      terminal
          .out()
          .println(
              lab.name() + (lab.removed() ? " removed" : " is in use by process " + lab.owner()));
    }
    return 0;
  }
}
