package dev.gossamer.cli;

import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.huggingface.NemotronExport;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
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
      names = "--format",
      paramLabel = "NAME",
      description =
          "gossamer, which evaluate and complete read; or nemotron_h, transformers' latent mixture"
              + " of experts (default: ${DEFAULT-VALUE}).")
  private String format = "gossamer";

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
    switch (format) {
      case "gossamer" -> SavedModel.export(SavedModel.checkpoint(folder, this::note), out, type);
      case "nemotron_h" -> asNemotron(type);
      default ->
          throw new UsageException("Unknown format '" + format + "'", "Use gossamer, nemotron_h");
    }
    terminal.out().println(out);
    return 0;
  }

  private void note(String line) {
    terminal.err().println(line);
  }

  private void asNemotron(DType type) {
    try (Threads threads = new Threads(1);
        SavedModel opened = SavedModel.open(folder, DType.FLOAT32, threads, this::note)) {
      NemotronExport.write(opened.model(), opened.tokenizer(), out, type);
    }
  }
}
