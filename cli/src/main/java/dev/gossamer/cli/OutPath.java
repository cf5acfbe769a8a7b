package dev.gossamer.cli;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;

/**
 * The argument of {@code --out}.
 *
 * @param path a file, or a folder
 * @param slash whether it ends in a slash and so means a folder, there or not
 */
record OutPath(Path path, boolean slash) {
  /**
   * The video's file: the path itself, or one of the usual name in the folder that it is.
   *
   * @param stem the usual name, without an ending
   * @throws EnvironmentException if the folder would have to be made inside one that is not there
   */
  Path file(String stem) {
    if (!slash && !Files.isDirectory(path)) {
      return path;
    }
    Path parent = path.toAbsolutePath().normalize().getParent();
    if (parent != null && !Files.isDirectory(parent)) {
      throw new EnvironmentException(
          "Cannot write into " + path + ": there is no folder " + parent, "Make that folder first");
    }
    return OutputName.in(path, stem);
  }

  /** Reads a path. */
  static final class Converter implements ITypeConverter<OutPath> {
    @Override
    public OutPath convert(String text) {
      Path path = new PathConverter().convert(text);
      return new OutPath(path, text.endsWith("/") || text.endsWith(File.separator));
    }
  }
}
