package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Files with the output of one rank as it was written: {@code rank-3.out} and {@code rank-3.err}.
 *
 * @param out takes stdout
 * @param err takes stderr
 */
record RankLog(OutputStream out, OutputStream err) {
  /** Keeps nothing. */
  static RankLog none() {
    return new RankLog(OutputStream.nullOutputStream(), OutputStream.nullOutputStream());
  }

  /**
   * Opens the files, which are emptied.
   *
   * @throws EnvironmentException if they cannot be written
   */
  static RankLog in(Path folder, int rank) {
    try {
      Files.createDirectories(folder);
      return new RankLog(
          Files.newOutputStream(folder.resolve("rank-" + rank + ".out")),
          Files.newOutputStream(file(folder, rank)));
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write the output of rank " + rank + " to " + folder + ": " + PartFile.reason(e),
          "Give a folder that can be written to",
          e);
    }
  }

  /** Where a rank's stderr goes. */
  static Path file(Path folder, int rank) {
    return folder.resolve("rank-" + rank + ".err");
  }
}
