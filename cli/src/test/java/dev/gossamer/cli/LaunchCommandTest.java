package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The command in this process, and what becomes of its ranks when a signal hits its own. */
@DisabledOnOs(OS.WINDOWS)
@Timeout(120)
class LaunchCommandTest {
  /** A rank that tells its own process and the one it starts, then waits for long. */
  private static final String RANK =
      "trap 'echo got INT; exit' INT; trap 'echo got TERM; exit' TERM;"
          + " sleep 300 & echo $$ > $0/$RANK.new; echo $! >> $0/$RANK.new;"
          + " mv $0/$RANK.new $0/$RANK; wait";

  @TempDir Path temp;
  private Process launcher;

  @AfterEach
  void endLauncher() {
    if (launcher != null) {
      launcher.destroyForcibly();
    }
  }

  @Test
  void aProgramRunsAsRanks() {
    CommandRun run =
        CommandRun.of("launch", "--nproc", "2", "--", "sh", "-c", "echo $RANK of $WORLD_SIZE");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out().lines()).containsExactlyInAnyOrder("[0] 0 of 2", "[1] 1 of 2");
    assertThat(run.err()).isEmpty();
  }

  @Test
  void theOptionsAfterTheCommandAreItsOwn() {
    CommandRun run =
        CommandRun.of("launch", "echo", "--timeout", "x", "--", "--attn.k=2", "@pom.xml");
    assertThat(run.out()).isEqualTo("[0] --timeout x -- --attn.k=2 @pom.xml\n");
  }

  @Test
  void theExitCodeIsThatOfTheRankThatFailed() {
    CommandRun run =
        CommandRun.of(
            "launch",
            "--nproc=3",
            "sh",
            "-c",
            "[ $RANK = 1 ] && echo oh no >&2 && exit 7; sleep 300");
    assertThat(run.exitCode()).isEqualTo(7);
    assertThat(run.err())
        .startsWith("[1] oh no\ngossamer: Rank 1 failed first, exit code 7: oh no. The other");
  }

  @Test
  void timeRunsOut() {
    CommandRun run = CommandRun.of("launch", "--timeout=1", "--", "sleep", "300");
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).startsWith("gossamer: Stopped after 1 s, with rank 0 of 1 still running");
  }

  @Test
  void wrongUseIsOneLine() {
    String[][] wrong = {
      {"launch"},
      {"launch", "--nproc", "0", "true"},
      {"launch", "no-such-program"},
      {"launch", "--node-rank", "0", "true"},
      {"launch", "--nnodes", "2", "--node-rank", "0", "true"},
      {"launch", "--nnodes", "2", "--node-rank", "2", "--master", "a:1", "true"},
      {"launch", "--master", "nowhere", "true"},
      {"launch", "--grace", "100", "true"},
      {"launch", "--timeout", "-1", "true"},
    };
    for (String[] args : wrong) {
      CommandRun run = CommandRun.of(args);
      assertThat(run.exitCode()).as(String.join(" ", args)).isEqualTo(2);
      assertThat(run.err()).as(String.join(" ", args)).matches("gossamer: .+\\R");
    }
  }

  @Test
  void aPortInUseIsOneLine() throws IOException {
    try (ServerSocket taken = new ServerSocket(0)) {
      CommandRun run =
          CommandRun.of("launch", "--master", "127.0.0.1:" + taken.getLocalPort(), "true");
      assertThat(run.exitCode()).isEqualTo(FailureLine.ENVIRONMENT);
      assertThat(run.err()).matches("gossamer: .+ port " + taken.getLocalPort() + ".+\\R");
    }
  }

  @Test
  @Tag("slow")
  void aCommandOfGossamerRunsInThisJava() throws Exception {
    start("launch", "--nproc", "2", "--", "generate", "--help");
    assertThat(launcher.waitFor(100, TimeUnit.SECONDS)).isTrue();
    assertThat(launcher.exitValue()).as(read("err")).isZero();
    List<String> first = linesOf("[0] ");
    assertThat(first).startsWith("Usage: gossamer generate [OPTIONS] [PROMPT]");
    assertThat(linesOf("[1] ")).isEqualTo(first);
  }

  @Test
  @Tag("slow")
  void controlCReachesEveryRankAsItself() throws Exception {
    assumeTrue(heedsInterrupts());
    List<ProcessHandle> processes = startRanks();
    signal("INT");
    assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(launcher.exitValue()).isEqualTo(Interruption.EXIT_CODE);
    assertThat(read("out").lines()).containsExactlyInAnyOrder("[0] got INT", "[1] got INT");
    assertThat(read("err")).startsWith("gossamer: Stopped all ranks");
    awaitEnd(processes);
  }

  @Test
  @Tag("slow")
  void sigtermStopsEveryRank() throws Exception {
    List<ProcessHandle> processes = startRanks();
    signal("TERM");
    assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(launcher.exitValue()).isEqualTo(Interruption.EXIT_CODE);
    assertThat(read("out").lines()).containsExactlyInAnyOrder("[0] got TERM", "[1] got TERM");
    awaitEnd(processes);
  }

  @Test
  @Tag("slow")
  void noRankOutlivesALauncherThatIsKilled() throws Exception {
    List<ProcessHandle> processes = startRanks();
    signal("KILL");
    assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
    awaitEnd(processes);
  }

  /** All that was started: the launcher's children and what the ranks tell. */
  private List<ProcessHandle> startRanks() throws Exception {
    Path folder = Files.createDirectory(temp.resolve("pids"));
    start("launch", "--nproc", "2", "--", "sh", "-c", RANK, folder.toString());
    List<Path> files = List.of(folder.resolve("0"), folder.resolve("1"));
    while (launcher.isAlive() && !files.stream().allMatch(Files::exists)) {
      launcher.waitFor(20, TimeUnit.MILLISECONDS);
    }
    assertThat(files).as(read("err")).allMatch(Files::exists);
    List<ProcessHandle> processes = new ArrayList<>(launcher.descendants().toList());
    for (Path file : files) {
      for (String pid : Files.readAllLines(file)) {
        assertThat(processes).anyMatch(process -> process.pid() == Long.parseLong(pid));
      }
    }
    assertThat(processes).hasSizeGreaterThan(4); // two for each rank, and the warden
    return processes;
  }

  private static void awaitEnd(List<ProcessHandle> processes) throws Exception {
    for (ProcessHandle process : processes) {
      process.onExit().get(60, TimeUnit.SECONDS);
    }
  }

  private void start(String... args) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Gossamer.class.getName()));
    command.addAll(List.of(args));
    launcher =
        new ProcessBuilder(command)
            .redirectOutput(temp.resolve("out").toFile())
            .redirectError(temp.resolve("err").toFile())
            .start();
  }

  private void signal(String name) throws Exception {
    Process kill = new ProcessBuilder("kill", "-s", name, "" + launcher.pid()).start();
    assertThat(kill.waitFor()).isZero();
  }

  private String read(String name) throws IOException {
    return Files.readString(temp.resolve(name));
  }

  private List<String> linesOf(String mark) throws IOException {
    return read("out")
        .lines()
        .filter(line -> line.startsWith(mark))
        .map(line -> line.substring(mark.length()))
        .toList();
  }

  /** A shell without job control makes what it starts in the background ignore SIGINT for good. */
  static boolean heedsInterrupts() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return true;
    }
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith("SigIgn:"))
          .allMatch(line -> (Long.parseUnsignedLong(line.substring(7).strip(), 16) & 2) == 0);
    }
  }
}
