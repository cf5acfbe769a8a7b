package dev.gossamer.bench;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A folder for files that nobody keeps; closing it deletes them. */
public record ScratchFolder(Path path) implements AutoCloseable {
  /**
   * @throws EnvironmentException if there is no room for one
   */
  public static ScratchFolder make() {
    try {
      return new ScratchFolder(Files.createTempDirectory("gossamer-bench-"));
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot make a folder for temporary files: " + e.getMessage(),
          "Make room, or name another place with -Djava.io.tmpdir",
          e);
    }
  }

  @Override
  public void close() {
    try (Stream<Path> all = Files.walk(path)) {
      List<Path> deepestFirst = all.sorted(Comparator.reverseOrder()).toList();
      for (Path one : deepestFirst) {
        Files.deleteIfExists(one);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot delete " + path, e);
    }
  }
}
