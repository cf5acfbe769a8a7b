package dev.gossamer.cli;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The streams of a command: results go to {@code out}, everything else to {@code err}.
 *
 * @param out results, and nothing else
 * @param err messages, progress, tables
 * @param interactive whether a person watches {@code err}, so that a progress bar makes sense
 */
record Terminal(PrintStream out, PrintStream err, boolean interactive) {
  private static final Path STDERR = Path.of("/proc/self/fd/2");

  /**
   * The terminal of this process. Whatever a library prints to {@link System#out} from now on goes
   * to stderr, so that {@code --json} stays one document.
   */
  static Terminal ofThisProcess() {
    PrintStream out =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    PrintStream err =
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
    System.setOut(err);
    System.setErr(err);
    return new Terminal(out, err, watched());
  }

  /**
   * Says whether results reached their reader.
   *
   * @return 0, the exit code of a command that is done
   * @throws EnvironmentException if they did not, as on a full disk or a closed pipe
   */
  int delivered() {
    if (out.checkError()) {
      throw new EnvironmentException(
          "Cannot write the result to stdout: the disk is full, or its reader has gone",
          "Files that the command made are there");
    }
    return 0;
  }

  /** Text from outside without the control characters that could steer a terminal. */
  static String harmless(String text) {
    return text.replaceAll("\\p{Cc}", "\uFFFD");
  }

  private static boolean watched() {
    try {
      String target = Files.readSymbolicLink(STDERR).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
    } catch (IOException e) {
      return System.console() != null; // no /proc on this system
    }
  }
}
