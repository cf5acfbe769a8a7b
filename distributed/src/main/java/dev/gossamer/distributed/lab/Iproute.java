package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.launch.RankCommand;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs the programs of iproute2, {@code ip} and {@code tc}. */
final class Iproute {
  /** Where they are on a PATH that is not root's. */
  private static final List<Path> ELSEWHERE = List.of(Path.of("/usr/sbin"), Path.of("/sbin"));

  private static final long PATIENCE_SECONDS = 20;

  private Iproute() {}

  static Optional<Path> find(String program) {
    return Stream.concat(
            RankCommand.find(program).stream(),
            ELSEWHERE.stream().map(folder -> folder.resolve(program)).filter(Files::isExecutable))
        .findFirst();
  }

  /** A program's path. */
  static String path(String program) {
    return find(program)
        .orElseThrow(
            () ->
                new EnvironmentException(
                    "A lab needs the program " + program + " of iproute2, which is not here",
                    "Install the package iproute2 (iproute on Fedora)"))
        .toString();
  }

  /**
   * Runs a command to its end.
   *
   * @return what it printed to stdout
   * @throws EnvironmentException if it fails, with its own words and the step's remedy
   */
  static String run(Step step) {
    List<String> words = new ArrayList<>(step.words());
    words.set(0, path(words.get(0)));
    try {
      Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String said =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw refused(step, "no end after " + PATIENCE_SECONDS + " s", null);
      }
      if (process.exitValue() != 0) {
        throw refused(step, said, null);
      }
      return said;
    } catch (IOException e) {
      throw refused(step, e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw refused(step, "interrupted", e);
    }
  }

  private static EnvironmentException refused(Step step, String said, Throwable cause) {
    String reason = said.isBlank() ? "it failed" : said.lines().findFirst().orElse("");
    return new EnvironmentException(
        "Cannot build the lab: '" + step + "' says: " + reason.replaceAll("\\.$", ""),
        step.remedy(),
        cause);
  }
}
