package dev.gossamer.cli;

import dev.gossamer.lm.checkpoint.Resharding;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.tensor.files.PartFolder;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer checkpoint reshard}: experts in another number of files. */
@Command(
    name = "reshard",
    description = {
      "Divide a checkpoint's experts into another number of files.",
      "Any number of ranks reads any checkpoint; this only saves them files of others' experts."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class ReshardCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Parameters(paramLabel = "DIR", description = "Folder of a run, or a checkpoint.")
  private Path folder;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "The checkpoint to make; absent or empty.")
  private Path out;

  @Option(
      names = "--experts",
      required = true,
      paramLabel = "N",
      description = "Files of experts: as many as ranks will share them.")
  private int files;

  @Mixin private CommonArguments common;

  ReshardCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    PartFolder.requireEmpty(out);
    Resharding.write(
        SavedModel.checkpoint(folder, line -> terminal.err().println(line)), out, files);
    terminal.out().println(out);
    return 0;
  }
}
