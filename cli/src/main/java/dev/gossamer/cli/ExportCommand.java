package dev.gossamer.cli;

import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.files.PartFolder;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer checkpoint export}: a model without what was needed to train it. */
@Command(
    name = "export",
    description = "Write a checkpoint's model without the state of its training.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class ExportCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Parameters(paramLabel = "DIR", description = "Folder of a run, or a checkpoint.")
  private Path folder;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "The folder to make; absent or empty.")
  private Path out;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Of the weights: fp32, bf16 or fp16 (default: ${DEFAULT-VALUE}).")
  private String dtype = "fp32";

  @Mixin private CommonArguments common;

  ExportCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    DType type = DType.ofOption(dtype);
    PartFolder.requireEmpty(out);
    SavedModel.export(
        SavedModel.checkpoint(folder, line -> terminal.err().println(line)), out, type);
    terminal.out().println(out);
    return 0;
  }
}
