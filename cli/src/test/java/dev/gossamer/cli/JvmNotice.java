package dev.gossamer.cli;

import java.util.stream.Collectors;

/** The line with which Java itself greets whoever uses its vectors; nothing turns it off. */
final class JvmNotice {
  private static final String LINE = "WARNING: Using incubator modules: jdk.incubator.vector";

  private JvmNotice() {}

  /** What a command has written besides; a process that starts others may pass their notices on. */
  static String without(String errors) {
    return errors
        .lines()
        .filter(line -> !line.endsWith(LINE))
        .map(line -> line + System.lineSeparator())
        .collect(Collectors.joining());
  }
}
