package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.distributed.lab.LabCheck;
import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Ranks that get into trouble while a command computes on many, as a person sees it: one line that
 * names the rank, the right exit code, and nothing left behind.
 */
@EnabledOnOs(OS.LINUX)
@Tag("slow")
@Timeout(180)
class RankFailureTest {
  /** Exchanges for an hour, so that trouble always meets a rank within one. */
  private static final String EXCHANGE =
      "bench exchange --sizes 8388608 --seconds 60 --runs 60 --comm-timeout ";

  private static final String LAYER =
      "bench moe --experts 8 --top-k 2 --tokens 16 --runs 1 --hidden ";

  private static final int PATIENT = 60;
  private static final int IMPATIENT = 5;
  private static final String WAITED = "waited 5 s in all-(to-all|reduce) .* for rank ";

  @TempDir Path temp;
  private Process starter;

  @AfterEach
  void endStarter() {
    if (starter != null) {
      starter.destroyForcibly();
    }
  }

  @Test
  void aRankThatIsKilledIsNamed() throws Exception {
    start("launch --nproc 3 -- " + EXCHANGE + PATIENT);
    List<ProcessHandle> all = awaitRanks(3);
    signal("KILL", rank(1));
    assertEnd(128 + 9, "Rank 1 failed first, ended by SIGKILL", all);
  }

  @Test
  void aRankThatHangsIsNamedAfterTheTimeOut() throws Exception {
    start("launch --nproc 3 --grace 2 -- " + EXCHANGE + IMPATIENT);
    List<ProcessHandle> all = awaitRanks(3);
    signal("STOP", rank(1));
    assertEnd(
        FailureLine.FAILED,
        "gossamer: Rank [02] failed first, exit code 1: gossamer: Rank [02] " + WAITED + "1\\. ",
        all);
  }

  @Test
  void rankZeroThatHangsIsNamedToo() throws Exception {
    start("launch --nproc 2 --grace 2 -- " + EXCHANGE + IMPATIENT);
    List<ProcessHandle> all = awaitRanks(2);
    signal("STOP", rank(0));
    assertEnd(
        FailureLine.FAILED,
        "gossamer: Rank 1 failed first, exit code 1: gossamer: Rank 1 " + WAITED + "0\\. ",
        all);
  }

  @Test
  void aRankWithOtherOptionsIsNamed() throws Exception {
    start("launch --nproc 3 -- " + inShell(LAYER + "$((RANK == 2 ? 128 : 64))"));
    assertEnd(
        FailureLine.FAILED,
        "exit code 1: gossamer: Rank 2 differs from rank 0 in the settings of the benchmark. Start"
            + " all ranks with the same arguments",
        List.of());
  }

  @Test
  void aRankThatNeverGetsAsFarAsTheOthersIsNamed() throws Exception {
    start("launch --nproc 3 -- " + inShell(LAYER + "$((RANK == 2 ? 0 : 64))"));
    assertEnd(FailureLine.USAGE, "Rank 2 failed first, exit code 2: gossamer: ", List.of());
  }

  @Test
  void aRankWhoseHeapIsFullIsNamed() throws Exception {
    String program = "java -Xmx$((RANK == 1 ? 2 : 256))m -cp $0 " + Gossamer.class.getName() + " ";
    start("launch --nproc 2 -- " + shell(program + LAYER + 64));
    assertThat(starter.waitFor(100, TimeUnit.SECONDS)).isTrue();
    assertThat(starter.exitValue()).isNotZero();
    assertThat(lastLine()).as(read("err")).contains("Rank 1 failed first");
  }

  @Test
  void aPortThatIsTakenMeanwhileIsTold() throws Exception {
    // Without launch nobody looks before the ranks do.
    try (ServerSocket taken = new ServerSocket(0)) {
      ProcessBuilder builder = new ProcessBuilder(java((LAYER + 64).split(" ")));
      builder.environment().put("RANK", "0");
      builder.environment().put("WORLD_SIZE", "2");
      builder.environment().put("MASTER_ADDR", "127.0.0.1");
      builder.environment().put("MASTER_PORT", "" + taken.getLocalPort());
      start(builder);
      assertEnd(
          FailureLine.FAILED,
          "gossamer: Rank 0 cannot keep the ranks' register at port " + taken.getLocalPort(),
          List.of());
    }
  }

  @Test
  void aRankKilledInALabIsNamedAndTheLabIsTakenAway() throws Exception {
    assumeTrue(LabCheck.isEnough(LabCheck.ofThisMachine()), "no lab here");
    List<Path> before = namespaces();
    start("lab --nodes 2 --per-node 1 --rate 50mbit -- " + EXCHANGE + PATIENT);
    List<ProcessHandle> all = awaitRanks(2);
    signal("KILL", rank(1));
    assertEnd(128 + 9, "Rank 1 failed first, ended by SIGKILL, and wrote no error", all);
    assertThat(namespaces()).isEqualTo(before);
  }

  @Test
  void aRankThatHangsInALabIsNamedAndTheLabIsTakenAway() throws Exception {
    assumeTrue(LabCheck.isEnough(LabCheck.ofThisMachine()), "no lab here");
    List<Path> before = namespaces();
    start("lab --nodes 2 --per-node 1 --grace 2 --rate 50mbit -- " + EXCHANGE + IMPATIENT);
    List<ProcessHandle> all = awaitRanks(2);
    signal("STOP", rank(1));
    assertEnd(FailureLine.FAILED, "gossamer: Rank 0 " + WAITED + "1\\. ", all);
    assertThat(namespaces()).isEqualTo(before);
  }

  /** A command of gossamer whose options depend on the rank. */
  private static String inShell(String command) {
    return shell("java -Xmx256m -cp $0 " + Gossamer.class.getName() + " " + command);
  }

  private static String shell(String script) {
    return "sh\n-c\nexec "
        + Path.of(System.getProperty("java.home"), "bin")
        + "/"
        + script
        + "\n"
        + System.getProperty("java.class.path");
  }

  private static List<String> java(String... words) {
    List<String> command =
        new ArrayList<>(
            List.of(
                System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Gossamer.class.getName()));
    command.addAll(List.of(words));
    return command;
  }

  /** Words are separated by spaces before {@code --}, and by line breaks too if there are any. */
  private void start(String line) throws IOException {
    int border = line.indexOf(" -- ");
    List<String> words = new ArrayList<>(List.of(line.substring(0, border).split(" ")));
    words.add("--");
    String command = line.substring(border + 4);
    words.addAll(List.of(command.split(command.contains("\n") ? "\n" : " ")));
    start(new ProcessBuilder(java(words.toArray(String[]::new))));
  }

  private void start(ProcessBuilder builder) throws IOException {
    starter =
        builder
            .redirectOutput(temp.resolve("out").toFile())
            .redirectError(temp.resolve("err").toFile())
            .start();
  }

  /** Waits until all ranks exchange. */
  private List<ProcessHandle> awaitRanks(int size) throws Exception {
    while (starter.isAlive()
        && read("out").lines().filter(line -> line.contains("is connected to")).count() < size) {
      starter.waitFor(50, TimeUnit.MILLISECONDS);
    }
    starter.waitFor(1, TimeUnit.SECONDS); // from the connection to the first large exchange
    assertThat(starter.isAlive()).as(read("err")).isTrue();
    return starter.descendants().toList();
  }

  private ProcessHandle rank(int number) {
    return starter
        .descendants()
        .filter(process -> process.info().command().orElse("").endsWith("java"))
        .filter(process -> variable(process, "RANK").equals(Optional.of("" + number)))
        .findFirst()
        .orElseThrow();
  }

  private static Optional<String> variable(ProcessHandle process, String name) {
    try {
      String all = Files.readString(Path.of("/proc/" + process.pid() + "/environ"));
      return Stream.of(all.split("\0"))
          .filter(word -> word.startsWith(name + "="))
          .map(word -> word.substring(name.length() + 1))
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static void signal(String name, ProcessHandle process) throws Exception {
    assertThat(new ProcessBuilder("kill", "-s", name, "" + process.pid()).start().waitFor())
        .isZero();
  }

  /** The command ends in time with this code, its last line says why, and nothing of it lives. */
  private void assertEnd(int exitCode, String why, List<ProcessHandle> all) throws Exception {
    assertThat(starter.waitFor(100, TimeUnit.SECONDS)).as(read("err")).isTrue();
    assertThat(lastLine()).as(read("err")).containsPattern(why);
    assertThat(starter.exitValue()).as(read("err")).isEqualTo(exitCode);
    for (ProcessHandle process : all) {
      process.onExit().get(60, TimeUnit.SECONDS);
    }
  }

  private String lastLine() throws IOException {
    List<String> lines = read("err").lines().filter(line -> line.startsWith("gossamer: ")).toList();
    assertThat(lines).as(read("err")).hasSize(1);
    return lines.get(0);
  }

  private String read(String name) throws IOException {
    return Files.readString(temp.resolve(name));
  }

  private static List<Path> namespaces() throws IOException {
    Path folder = Path.of("/var/run/netns");
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }
}
