package dev.gossamer.cli;

import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A path on the command line; an empty one, as of an unset variable, is not the current folder. */
final class PathConverter implements ITypeConverter<Path> {
  @Override
  public Path convert(String text) {
    if (text.isEmpty()) {
      throw new TypeConversionException("it is empty; name a path, or leave it out");
    }
    return Path.of(text);
  }
}
