package dev.gossamer.cli;

import dev.gossamer.lm.checkpoint.Checkpoint;
import dev.gossamer.lm.checkpoint.CheckpointFolder;
import dev.gossamer.lm.checkpoint.StoredFile;
import dev.gossamer.lm.train.TrainingRun;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code gossamer checkpoint verify}: whether everything is as it was saved. */
@Command(
    name = "verify",
    description = "Compare checkpoints with their checksums.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class VerifyCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Parameters(paramLabel = "DIR", description = "Folder of a run, or a checkpoint.")
  private Path folder;

  @Mixin private CommonArguments common;

  VerifyCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    List<Path> all = CheckpointFolder.all(folder.resolve(TrainingRun.CHECKPOINTS));
    if (all.isEmpty()) {
      if (Files.isDirectory(folder.resolve(TrainingRun.CHECKPOINTS))) {
        throw new BadInputException("There is no checkpoint in " + folder, "Name another run");
      }
      all = List.of(folder);
    }
    GossamerException first = null;
    for (Path path : all) {
      try {
        verify(path);
      } catch (GossamerException e) {
        first = first == null ? e : first;
      }
    }
    if (first != null) {
      throw first;
    }
    return 0;
  }

  private void verify(Path path) {
    Checkpoint checkpoint = Checkpoint.open(path);
    checkpoint.verify();
    int ranks = checkpoint.manifest().ranks();
    long bytes = checkpoint.manifest().files().stream().mapToLong(StoredFile::bytes).sum();
    terminal
        .out()
        .println(
            String.format(
                Locale.ROOT,
                "%s is sound: step %d, %d files, %.1f MB, saved by %s",
                path,
                checkpoint.manifest().step(),
                checkpoint.manifest().files().size(),
                bytes / 1e6,
                ranks == 1 ? "1 rank" : ranks + " ranks"));
  }
}
