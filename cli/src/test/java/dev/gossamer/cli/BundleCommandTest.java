package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.Machine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleCommandTest {
  @TempDir Path temp;

  @BeforeAll
  static void needsAJdkOnLinux() {
    String machine = System.getProperty("os.name") + " " + System.getProperty("os.arch");
    assumeTrue(machine.equals("Linux amd64"), "bundles are for Linux on x86-64");
    assumeTrue(ToolProvider.findFirst("jlink").isPresent(), "this Java has no jlink");
  }

  @Test
  @Tag("slow")
  void aBundleMakesVideosWithALibtorchFromElsewhere() throws IOException, InterruptedException {
    Path folder = temp.resolve("new/bundle");
    CommandRun made = CommandRun.of("bundle", folder.toString());
    assertThat(made.err()).matches("\\d+ MB\\R");
    assertThat(made.exitCode()).isZero();
    assertThat(made.out().strip()).isEqualTo(folder.resolve("gossamer").toString());
    assertThat(names(folder)).containsExactly("cp", "gossamer", "java", "jni");
    assertThat(names(folder.getParent())).containsExactly("bundle");
    try (Stream<Path> files = Files.walk(folder)) {
      assertThat(files).noneMatch(file -> file.getFileName().toString().startsWith("libtorch"));
    }

    JsonNode doctor = new ObjectMapper().readTree(run(folder, "doctor", "--json"));
    assertThat(doctor.path("usable").asBoolean()).as(doctor.toString()).isTrue();
    assertThat(doctor.path("findings").findValuesAsText("found"))
        .anyMatch(found -> found.endsWith("in libtorch, no OpenBLAS"));

    Path video = temp.resolve("cat.mp4");
    run(folder, TinyCheckpoint.generate(TinyCheckpoint.folder(), video));
    Path same = temp.resolve("same.mp4");
    CommandRun.of(TinyCheckpoint.generate(TinyCheckpoint.folder(), same));
    assertThat(video).hasSameBinaryContentAs(same);
  }

  @Test
  @Tag("slow")
  void whatIsLeftOutIsMissedInOneLine() throws IOException, InterruptedException {
    Path folder = temp.resolve("small");
    CommandRun made =
        CommandRun.of("bundle", folder.toString(), "--without", "model,encoder,captures");
    assertThat(made.exitCode()).as(made.err()).isZero();
    assertThat(megabytes(made)).isLessThan(230); // with the tests' own class path
    CommandRun whole = CommandRun.of("bundle", temp.resolve("whole").toString());
    assertThat(megabytes(whole) - megabytes(made)).isGreaterThan(84);
    assertThat(names(folder.resolve("jni"))).noneMatch(name -> name.startsWith("libav"));
    assertThat(failing(folder, "generate", "a cat"))
        .startsWith("gossamer: The mini model is not in this bundle");
    assertThat(failing(folder, "complete", "The sea"))
        .startsWith("gossamer: The mini language model is not in this bundle");
    assertThat(failing(folder, "bench", "attention"))
        .startsWith("gossamer: The captured queries, keys and values are not in this bundle");
  }

  private static int megabytes(CommandRun made) {
    return Integer.parseInt(made.err().split(" ")[0]);
  }

  private String failing(Path bundle, String... args) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(bundle.resolve("gossamer").toString()));
    command.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("GOSSAMER_LIBTORCH", libtorch().toString());
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isEqualTo(4);
    String own = JvmNotice.without(said);
    assertThat(own.lines()).as(said).hasSize(1);
    return own;
  }

  @Test
  void unknownPartsAreRefused() {
    CommandRun run = CommandRun.of("bundle", temp.resolve("x").toString(), "--without", "java");
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("Use model, encoder, captures");
  }

  @Test
  void aFolderThatHoldsSomethingIsLeftAlone() throws IOException {
    Files.writeString(temp.resolve("mine.txt"), "mine");
    CommandRun run = CommandRun.of("bundle", temp.toString());
    assertThat(run.exitCode()).isEqualTo(3);
    assertThat(run.err()).contains("it is no empty folder").matches("gossamer: .+\\R");
    assertThat(names(temp)).containsExactly("mine.txt");
  }

  @Test
  void aFileIsLeftAlone() throws IOException {
    Path file = Files.writeString(temp.resolve("mine.txt"), "mine");
    assertThat(CommandRun.of("bundle", file.toString()).exitCode()).isEqualTo(3);
    assertThat(file).hasContent("mine");
  }

  @Test
  void anInterruptedBundleLeavesNothing() throws IOException {
    CommandRun run =
        CommandRun.interruptible(() -> true, "bundle", temp.resolve("bundle").toString());
    assertThat(run.exitCode()).isEqualTo(130);
    assertThat(names(temp)).isEmpty();
  }

  /** Runs the bundle's script on the libtorch of the jars, as JavaCPP unpacks it. */
  private String run(Path bundle, String... args) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(bundle.resolve("gossamer").toString()));
    command.addAll(List.of(args));
    Path err = temp.resolve("err.txt");
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(err.toFile());
    builder.environment().put("GOSSAMER_LIBTORCH", libtorch().toString());
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(Files.readString(err)).isZero();
    return out;
  }

  private static Path libtorch() throws IOException {
    Machine.backend();
    try (Stream<String> mapped = Files.lines(Path.of("/proc/self/maps"))) {
      return mapped
          .filter(line -> line.contains("/libtorch_cpu."))
          .map(line -> Path.of(line.substring(line.indexOf('/'))).getParent())
          .findFirst()
          .orElseThrow();
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> paths = Files.list(folder)) {
      return paths.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }
}
