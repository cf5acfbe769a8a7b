package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A signal in the middle of a run, in a process of its own. */
@DisabledOnOs(OS.WINDOWS)
class InterruptionTest {
  @TempDir Path temp;

  @Test
  @Tag("slow")
  void aSignalEndsTheRunAfterItsStepWithItsStateSaved() throws Exception {
    Path err = temp.resolve("err.txt");
    Process process = start(err, "--steps", "1000", "--size", "128x128");
    Path state = temp.resolve("cat.resume");
    while (process.isAlive() && !Files.exists(state)) {
      process.waitFor(20, TimeUnit.MILLISECONDS);
    }
    process.destroy(); // SIGTERM
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    List<String> failures =
        Files.readAllLines(err).stream().filter(line -> line.startsWith("gossamer: ")).toList();
    assertThat(process.exitValue()).as(Files.readString(err)).isEqualTo(130);
    assertThat(failures).singleElement().asString().contains("Stopped after step", "--resume");
    assertThat(names()).containsExactlyInAnyOrder("cat.resume", "err.txt", "out.txt");
    assertThat(temp.resolve("out.txt")).isEmptyFile();
  }

  private Process start(Path err, String... more) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Gossamer.class.getName()));
    command.addAll(
        List.of(TinyCheckpoint.generate(TinyCheckpoint.folder(), temp.resolve("cat.mp4"), more)));
    return new ProcessBuilder(command)
        .redirectOutput(temp.resolve("out.txt").toFile())
        .redirectError(err.toFile())
        .start();
  }

  private List<String> names() throws IOException {
    try (Stream<Path> paths = Files.list(temp)) {
      return paths.map(path -> path.getFileName().toString()).toList();
    }
  }
}
