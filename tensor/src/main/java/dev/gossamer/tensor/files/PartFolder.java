package dev.gossamer.tensor.files;

import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;

/** A new folder that is whole or absent: it is filled beside its place and then moved there. */
public final class PartFolder implements AutoCloseable {
  private final Path target;
  private final Path part;

  private PartFolder(Path target, Path part) {
    this.target = target;
    this.part = part;
  }

  /**
   * @param target absent or an empty folder
   * @throws BadInputException if something is there already
   * @throws IOException if nothing can be written there
   */
  public static PartFolder of(Path target) throws IOException {
    requireEmpty(target);
    Path place = target.toAbsolutePath().normalize();
    Files.createDirectories(place.getParent());
    // Not a temporary folder of Java's, which nobody but its owner may open.
    Path part = place.resolveSibling(place.getFileName() + ".part-" + UUID.randomUUID());
    return new PartFolder(place, Files.createDirectory(part));
  }

  /**
   * @throws BadInputException if a folder holds something, or is none
   */
  public static void requireEmpty(Path target) {
    String[] there = target.toFile().list();
    if (Files.exists(target) && (there == null || there.length > 0)) {
      throw new BadInputException(
          "Cannot write to " + target + ": it is no empty folder", "Name a new one");
    }
  }

  /** Where its files are written. */
  public Path path() {
    return part;
  }

  /** Moves it to its place. */
  public void commit() throws IOException {
    Files.deleteIfExists(target);
    Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Removes what was written, unless it is in its place. */
  @Override
  public void close() {
    if (!Files.exists(part)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(part)) {
      List<Path> deepestFirst = paths.sorted(Comparator.reverseOrder()).toList();
      deepestFirst.forEach(path -> path.toFile().delete());
    } catch (IOException e) {
      return; // the failure that led here is the one to report
    }
  }
}
