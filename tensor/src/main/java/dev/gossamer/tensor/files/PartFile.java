package dev.gossamer.tensor.files;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/**
 * A file that is whole or absent: written as {@code name.part} beside its target and renamed when
 * it is complete. The rename is atomic, so a reader of the target sees the old file or the new one.
 *
 * @param target what the file will be called
 */
public record PartFile(Path target) {
  /**
   * @throws EnvironmentException if the target cannot be a file here
   */
  public PartFile {
    if (Files.isDirectory(target)) {
      throw new EnvironmentException(
          "Cannot write " + target + ": it is a folder", "Name a file inside it");
    }
    if (Files.exists(target) && !Files.isRegularFile(target)) {
      // The rename would put a file in the place of a device such as /dev/null.
      throw new EnvironmentException(
          "Cannot write " + target + ": it is a device or a pipe", "Name an ordinary file");
    }
    Path folder = target.toAbsolutePath().getParent();
    if (!Files.isDirectory(folder)) {
      throw new EnvironmentException(
          "Cannot write " + target + ": there is no folder " + folder, "Make that folder first");
    }
  }

  /** Where the content goes until it is complete. */
  public Path path() {
    return target.resolveSibling(target.getFileName() + ".part");
  }

  /** Writes everything and renames; leaves nothing behind on failure. */
  public static void write(Path target, byte[] content) {
    PartFile part = new PartFile(target);
    try {
      Files.write(part.path(), content);
    } catch (IOException e) {
      part.discard();
      throw part.failure(reason(e), e);
    }
    part.commit();
  }

  /** Gives the content its final name. */
  public void commit() {
    try {
      Files.move(
          path(), target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      discard();
      throw failure(reason(e), e);
    }
  }

  /** Removes what was written so far. */
  public void discard() {
    try {
      Files.deleteIfExists(path());
    } catch (IOException e) {
      // The folder itself has gone or turned read-only; the failure that led here says so.
      return;
    }
  }

  /**
   * What to throw when the content cannot be written.
   *
   * @param found what went wrong
   * @param cause may be null
   */
  public EnvironmentException failure(String found, Throwable cause) {
    return new EnvironmentException(
        "Cannot write " + target + ": " + found,
        "Check that the folder exists, is writable and has room",
        cause);
  }

  /** What went wrong, in words: the messages of Java's file exceptions are bare paths. */
  public static String reason(Exception e) {
    if (!(e instanceof FileSystemException refused)) {
      return String.valueOf(e.getMessage());
    }
    String kind = e.getClass().getSimpleName().replace("Exception", "");
    return refused.getReason() != null
        ? refused.getReason()
        : kind.replaceAll("(?<=[a-z])(?=[A-Z])", " ").toLowerCase(Locale.ROOT);
  }
}
