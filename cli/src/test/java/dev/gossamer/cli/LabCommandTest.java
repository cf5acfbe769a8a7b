package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.distributed.lab.Ability;
import dev.gossamer.distributed.lab.LabCheck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The command, and what becomes of its lab when a signal hits it. */
@DisabledOnOs(OS.WINDOWS)
@Timeout(120)
class LabCommandTest {
  private static final Path NAMESPACES = Path.of("/var/run/netns");
  private static final Path REGISTER = Path.of("/run/gossamer/labs");
  private static final Pattern HEADLINE = Pattern.compile("Lab (gs\\d+): ");

  @TempDir Path temp;
  private Process command;

  @AfterEach
  void end() {
    if (command != null) {
      command.destroyForcibly();
    }
  }

  @Test
  void wrongUseIsOneLine() {
    String[][] wrong = {
      {"lab"},
      {"lab", "--nodes", "0", "true"},
      {"lab", "--nodes", "100", "--per-node", "2", "true"},
      {"lab", "--rate", "fast", "true"},
      {"lab", "--layout", "ring", "true"},
      {"lab", "--timeout", "-1", "true"},
      {"lab", "no-such-program"},
      {"lab", "measure", "--rate", "1"},
      {"lab", "measure", "--seconds", "0"},
    };
    for (String[] args : wrong) {
      CommandRun run = CommandRun.of(args);
      assertThat(run.exitCode()).as(String.join(" ", args)).isEqualTo(2);
      assertThat(run.err()).as(String.join(" ", args)).matches("gossamer: .+\\R");
    }
  }

  @Test
  void theCheckNamesWhatIsMissing() {
    CommandRun run = CommandRun.of("lab", "check");
    assertThat(run.exitCode()).isIn(0, FailureLine.ENVIRONMENT);
    assertThat(run.out()).startsWith("ok   System");
    assertThat(run.out().contains("BAD")).isEqualTo(run.exitCode() != 0);
  }

  @Test
  void ranksRunOnTheirNodesAndOneDocumentTellsWhatWasBuilt() {
    aLabIsPossible();
    CommandRun run =
        CommandRun.of(
            "lab",
            "--nodes=2",
            "--per-node=1",
            "--rate=16mbit",
            "--json",
            "--",
            "sh",
            "-c",
            "echo $RANK of $WORLD_SIZE on $GROUP_RANK");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err())
        .contains("[0] 0 of 2 on 0", "[1] 1 of 2 on 1")
        .contains("2 nodes x 1 rank, links 16 Mbit/s each way, burst 20 kB, queue 1000 ms");
    assertThat(run.out())
        .startsWith("{")
        .contains("\"bitsPerSecond\" : 16000000", "\"burstBytes\" : 20000")
        .contains("\"queueMillis\" : 1000", "\"address\" : \"10.231.0.11\"")
        .containsPattern(
            "\"node\" : 1,\\s+\"address\" : .*,\\s+\"sentBytes\" : .*,\\s+\"receivedBytes\" : ");
  }

  @Test
  void theExitCodeIsThatOfTheRankThatFailed() {
    aLabIsPossible();
    CommandRun run =
        CommandRun.of(
            "lab", "--nodes=2", "--per-node=1", "sh", "-c", "[ $RANK = 1 ] && exit 7; sleep 300");
    assertThat(run.exitCode()).isEqualTo(7);
    assertThat(run.err()).contains("gossamer: Rank 1 failed first, exit code 7");
  }

  @Test
  @Tag("slow")
  void controlCLeavesNothing() throws Exception {
    assumeTrue(LaunchCommandTest.heedsInterrupts());
    String lab = start();
    signal("INT", command.pid());
    assertThat(command.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(command.exitValue()).isEqualTo(Interruption.EXIT_CODE);
    assertThat(partsOf(lab)).isEmpty();
  }

  @Test
  @Tag("slow")
  void aKilledCommandLeavesNothing() throws Exception {
    String lab = start();
    List<ProcessHandle> processes = command.descendants().toList();
    signal("KILL", command.pid());
    awaitEnd(processes);
    assertThat(partsOf(lab)).isEmpty();
  }

  @Test
  @Tag("slow")
  void cleanTakesAwayWhatACrashOfAllLeftBehind() throws Exception {
    String lab = start();
    CommandRun early = CommandRun.of("lab", "clean");
    assertThat(early.out()).contains(lab + " is in use by process " + command.pid());
    List<ProcessHandle> processes = command.descendants().toList();
    for (ProcessHandle process : processes) {
      String line = process.info().commandLine().orElse("");
      if (line.contains("gossamer-lab-guard") || line.contains("gossamer-warden")) {
        signal("KILL", process.pid());
      }
    }
    signal("KILL", command.pid());
    command.waitFor();
    assertThat(partsOf(lab)).as("nobody was left to clean").hasSize(4);
    CommandRun run = CommandRun.of("lab", "clean");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out()).contains(lab + " removed");
    assertThat(partsOf(lab)).isEmpty();
    awaitEnd(processes);
  }

  private static void aLabIsPossible() {
    List<Ability> abilities = LabCheck.ofThisMachine();
    assumeTrue(
        LabCheck.isEnough(abilities), () -> "no lab here: " + abilities.get(abilities.size() - 1));
  }

  /** Starts a lab whose ranks wait for long, and waits for them. */
  private String start() throws Exception {
    aLabIsPossible();
    List<String> words =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Gossamer.class.getName()));
    words.addAll(
        List.of("lab", "--nodes=2", "--per-node=1", "--", "sh", "-c", "echo up; sleep 300"));
    command =
        new ProcessBuilder(words)
            .redirectOutput(temp.resolve("out").toFile())
            .redirectError(temp.resolve("err").toFile())
            .start();
    while (command.isAlive() && read("out").lines().count() < 2) {
      command.waitFor(20, TimeUnit.MILLISECONDS);
    }
    Matcher headline = HEADLINE.matcher(read("err"));
    assertThat(headline.find()).as(read("err")).isTrue();
    assertThat(partsOf(headline.group(1))).hasSize(4);
    return headline.group(1);
  }

  /** Namespaces of a lab, and its entry in the register. */
  private static List<Path> partsOf(String lab) throws IOException {
    List<Path> parts = new ArrayList<>();
    for (Path folder : List.of(NAMESPACES, REGISTER)) {
      try (Stream<Path> files = Files.list(folder)) {
        files
            .filter(file -> file.getFileName().toString().matches(lab + "(-.*)?"))
            .forEach(parts::add);
      }
    }
    return parts;
  }

  private static void awaitEnd(List<ProcessHandle> processes) throws Exception {
    assertThat(processes).hasSizeGreaterThan(3); // ranks, the warden, the guard
    for (ProcessHandle process : processes) {
      process.onExit().get(60, TimeUnit.SECONDS);
    }
  }

  private static void signal(String name, long pid) throws Exception {
    assertThat(new ProcessBuilder("kill", "-s", name, "" + pid).start().waitFor()).isZero();
  }

  private String read(String name) throws IOException {
    return Files.readString(temp.resolve(name));
  }
}
