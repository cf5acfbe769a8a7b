package dev.gossamer.cli;

import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which language model is used, and how it computes. */
final class LanguageModelArguments {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "Folder of a run, a checkpoint, or an exported model.")
  private Path model;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "fp32 or bf16 (default: ${DEFAULT-VALUE}).")
  private String dtype = "fp32";

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Processor threads (default: all cores).")
  private int threads = Threads.available();

  /** The folder as it was named. */
  Path folder() {
    return model;
  }

  /**
   * The threads that compute, to be closed by the caller.
   *
   * @throws UsageException if there are none
   */
  Threads pool() {
    if (threads < 1) {
      throw new UsageException("--threads " + threads + " compute nothing", "Use 1 or more");
    }
    return new Threads(threads);
  }

  /**
   * Loads the model, to be closed by the caller.
   *
   * @param terminal is told of damaged checkpoints that were left out
   */
  SavedModel open(Threads pool, Terminal terminal) {
    return SavedModel.open(
        model, DType.ofOption(dtype), pool, line -> terminal.err().println(line));
  }
}
