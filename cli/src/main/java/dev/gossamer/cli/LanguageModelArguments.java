package dev.gossamer.cli;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.mini.MiniLanguageModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which language model is used, and how it computes. */
final class LanguageModelArguments {
  @Option(
      names = "--model",
      paramLabel = "DIR",
      description =
          "Folder of a run, a checkpoint, or an exported model (default: the model that ships"
              + " inside).")
  private Path model;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "fp32 or bf16 (default: ${DEFAULT-VALUE}).")
  private String dtype = "fp32";

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Processor threads of each rank (default: all cores for one rank, else 1).")
  private Integer threads;

  /** The folder as it was named; unpacks the model that ships inside if it is the one. */
  Path folder() {
    return model == null ? MiniLanguageModel.folder() : model;
  }

  /** Whether a model is named, or threads for it. */
  boolean given() {
    return model != null || threads != null;
  }

  /** What the model is called where nobody names it: the folder's name. */
  String name() {
    if (model == null) {
      return MiniLanguageModel.NAME;
    }
    Path last = model.toAbsolutePath().normalize().getFileName();
    return last == null ? "model" : last.toString();
  }

  /** The type in which it computes, as it was named. */
  String dtype() {
    return dtype;
  }

  /**
   * The threads that compute on a rank, to be closed by the caller.
   *
   * @throws UsageException if there are none
   */
  Threads pool(Communicator world) {
    if (threads != null && threads < 1) {
      throw new UsageException("--threads " + threads + " compute nothing", "Use 1 or more");
    }
    return new Threads(threads != null ? threads : world.size() == 1 ? Threads.available() : 1);
  }

  /**
   * Loads the model on one rank alone, to be closed by the caller.
   *
   * @param terminal is told of damaged checkpoints that were left out
   * @throws UsageException if this process is one of several ranks
   */
  SavedModel open(Threads pool, Terminal terminal) {
    int ranks = RankEnvironment.of(System.getenv()).size();
    if (ranks > 1) {
      throw new UsageException(
          "This command computes in one process, and " + ranks + " ranks were started",
          "Start it without launch, torchrun or srun");
    }
    return open(RankGrid.flat(LocalRanks.alone()), pool, terminal);
  }

  /**
   * Likewise on each of several ranks, which divide its experts among them.
   *
   * @param grid not closed with the model
   */
  SavedModel open(RankGrid grid, Threads pool, Terminal terminal) {
    boolean first = grid.world().rank() == 0;
    return SavedModel.open(
        folder(),
        DType.ofOption(dtype),
        grid,
        pool,
        line -> {
          if (first) {
            terminal.err().println(line);
          }
        });
  }
}
