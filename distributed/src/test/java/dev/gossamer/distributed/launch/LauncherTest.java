package dev.gossamer.distributed.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Launches of real processes. Ranks that should be stopped would sleep longer than a test may. */
@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
class LauncherTest {
  private static final String SLEEP = "sleep 300";

  @TempDir Path temp;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private int port;

  @BeforeEach
  void choosePort() throws IOException {
    port = ProcessTable.freePort();
  }

  @AfterEach
  void nothingIsLeftInTheProcessTable() throws IOException {
    assertThat(ProcessTable.ofLaunch(port)).isEmpty();
    assertThat(ProcessHandle.current().children().map(child -> child.info().commandLine()))
        .noneMatch(line -> line.orElse("").contains("gossamer-warden"));
  }

  @Test
  void everyRankIsToldWhoItIs() {
    launch(2, "echo $RANK/$WORLD_SIZE $LOCAL_RANK/$LOCAL_WORLD_SIZE $GROUP_RANK $MASTER_ADDR");
    assertThat(lines(out))
        .containsExactlyInAnyOrder("[0] 0/2 0/2 0 127.0.0.1", "[1] 1/2 1/2 0 127.0.0.1");
    assertThat(lines(err)).isEmpty();
  }

  @Test
  void theSecondNodesRanksFollowThoseOfTheFirst() {
    Nodes second = new Nodes(2, 2, 1, "head", port);
    run(second, plan -> plan, () -> false, "echo $RANK/$WORLD_SIZE $GROUP_RANK $MASTER_ADDR");
    assertThat(lines(out)).containsExactlyInAnyOrder("[2] 2/4 1 head", "[3] 3/4 1 head");
  }

  @Test
  void aFreePortIsChosenAndTheSameForAll() {
    run(Nodes.one(3), plan -> plan, () -> false, "echo $MASTER_PORT");
    List<String> ports = lines(out).stream().map(line -> line.substring(4)).distinct().toList();
    assertThat(ports).singleElement().asString().matches("[1-9]\\d{3,4}");
  }

  @Test
  void threadsAreSetWhereRanksShareAMachine() {
    launch(2, "echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS");
    assertThat(lines(out)).containsExactlyInAnyOrder("[0] 1 1", "[1] 1 1");
  }

  @Test
  void outputKeepsItsStreamsItsCharactersAndItsUnfinishedLastLine() {
    launch(2, "printf 'grüß 漢字 🚀\\n\\nlast'; printf 'oh né\\n' >&2");
    assertThat(lines(out))
        .containsExactlyInAnyOrder(
            "[0] grüß 漢字 🚀", "[0] ", "[0] last", "[1] grüß 漢字 🚀", "[1] ", "[1] last");
    assertThat(lines(err)).containsExactlyInAnyOrder("[0] oh né", "[1] oh né");
  }

  @Test
  void linesOfEightRanksDoNotMix() {
    launch(8, "i=0; while [ $i -lt 200 ]; do echo $RANK-$i-äöü; i=$((i+1)); done");
    for (int rank = 0; rank < 8; rank++) {
      String mark = "[" + rank + "] ";
      List<String> expected =
          IntStream.range(0, 200)
              .mapToObj(i -> i + "-äöü")
              .map((mark.charAt(1) + "-")::concat)
              .map(mark::concat)
              .toList();
      assertThat(lines(out).stream().filter(line -> line.startsWith(mark)))
          .containsExactlyElementsOf(expected);
    }
  }

  @Test
  void aJavaProgramRunsInThisJavaOnThisClassPath() {
    run(
        new Nodes(2, 1, 0, "127.0.0.1", port),
        RankCommand.java(RankProgram.class.getName(), List.of("a b", "ü"), 2));
    assertThat(lines(out))
        .hasSize(2)
        .anyMatch(line -> line.startsWith("[1] RankEnvironment[rank=1, size=2, localRank=1,"))
        .allMatch(line -> line.contains("masterPort=" + port) && line.endsWith(" [a b, ü]"));
  }

  @Test
  void theFirstFailureStopsAllAndIsNamed() {
    RankFailedException failure =
        fails(4, "if [ $RANK = 2 ]; then echo début >&2; echo 'boom é' >&2; exit 3; fi; " + SLEEP);
    assertThat(failure.rank()).isEqualTo(2);
    assertThat(failure.exitCode()).isEqualTo(3);
    assertThat(failure).hasMessageContaining("Rank 2 failed first, exit code 3: boom é");
  }

  @Test
  void aKilledRankIsNamedWithItsSignal() {
    RankFailedException failure = fails(3, "[ $RANK = 1 ] && kill -9 $$; " + SLEEP);
    assertThat(failure.exitCode()).isEqualTo(137);
    assertThat(failure).hasMessageContaining("Rank 1 failed first, ended by SIGKILL, and wrote no");
  }

  @Test
  void whoeverIgnoresSigtermIsKilled() {
    RankFailedException failure =
        fails(2, "[ $RANK = 1 ] && sleep 1 && exit 5; trap '' TERM; while :; do sleep 1; done");
    assertThat(failure.exitCode()).isEqualTo(5);
  }

  @Test
  void whoeverHeedsSigtermHasTimeToSave() throws IOException {
    Path saved = temp.resolve("saved");
    fails(
        2,
        "if [ $RANK = 1 ]; then while [ ! -e "
            + temp
            + "/ready ]; do sleep 0.1; done; exit 5; fi;"
            + " trap 'sleep 0.5; echo all > "
            + saved
            + "; exit 0' TERM; touch "
            + temp
            + "/ready; while :; do sleep 0.1; done");
    assertThat(saved).hasContent("all");
  }

  @Test
  void whatARankStartedEndsWithIt() {
    launch(2, "(trap '' HUP; " + SLEEP + ") & echo done");
    assertThat(lines(out)).containsExactlyInAnyOrder("[0] done", "[1] done");
  }

  @Test
  void wholeTreesAreStoppedEvenInSessionsOfTheirOwn() {
    fails(2, "[ $RANK = 0 ] && sleep 1 && exit 1; sh -c 'sh -c \"" + SLEEP + "; :\"; :'; :");
    if (!RankCommand.find("setsid").isEmpty()) {
      fails(2, "[ $RANK = 0 ] && sleep 1 && exit 1; setsid -w " + SLEEP + "; :");
    }
  }

  @Test
  void timeRunsOut() {
    assertThatThrownBy(
            () ->
                run(
                    new Nodes(3, 1, 0, "127.0.0.1", port),
                    plan -> plan.withTimeout(Duration.ofSeconds(1)),
                    () -> false,
                    "[ $RANK = 1 ] || " + SLEEP))
        .isInstanceOf(GossamerException.class)
        .hasMessageContaining("Stopped after 1 s, with ranks 0, 2 of 3 still running")
        .extracting(failure -> ((GossamerException) failure).exitCode())
        .isEqualTo(1);
  }

  @Test
  void anInterruptedLaunchStopsAllRanks() {
    assertThatThrownBy(
            () ->
                run(
                    new Nodes(2, 1, 0, "127.0.0.1", port),
                    plan -> plan,
                    () -> lines(out).size() == 2,
                    "echo here; " + SLEEP))
        .isInstanceOf(InterruptedRunException.class);
  }

  @Test
  void aPortInUseIsRefusedBeforeAnythingStarts() throws IOException {
    try (ServerSocket taken = new ServerSocket(0)) {
      Nodes nodes = new Nodes(2, 1, 0, "127.0.0.1", taken.getLocalPort());
      assertThatThrownBy(() -> run(nodes, plan -> plan, () -> false, "echo here"))
          .isInstanceOf(EnvironmentException.class)
          .hasMessageContaining("port " + taken.getLocalPort())
          .hasMessageContaining("--master");
    }
    assertThat(lines(out)).isEmpty();
  }

  @Test
  void aProgramThatIsNotThereIsRefused() {
    assertThatThrownBy(() -> RankCommand.program(List.of("no-such-program", "x")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no-such-program");
    assertThatThrownBy(() -> RankCommand.program(List.of("./no-such-program")))
        .isInstanceOf(UsageException.class);
    assertThat(RankCommand.program(List.of("sh", "-c", ""))).startsWith("sh");
  }

  @Test
  void logsHoldEachRanksOwnOutput() throws IOException {
    run(
        new Nodes(2, 1, 0, "127.0.0.1", port),
        plan -> plan.withLogs(temp.resolve("logs")),
        () -> false,
        "echo out $RANK; printf 'err %s' $RANK >&2");
    assertThat(Files.readString(temp.resolve("logs/rank-1.out"))).isEqualTo("out 1\n");
    assertThat(Files.readString(temp.resolve("logs/rank-0.err"))).isEqualTo("err 0");
    assertThat(lines(out)).containsExactlyInAnyOrder("[0] out 0", "[1] out 1");
  }

  @Test
  void logsThatCannotBeWrittenAreRefusedInWords() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "no folder");
    assertThatThrownBy(
            () ->
                run(
                    new Nodes(2, 1, 0, "127.0.0.1", port),
                    plan -> plan.withLogs(file),
                    () -> false,
                    "echo"))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("rank 0 to " + file + ": file already exists.");
  }

  @Test
  @Tag("slow")
  void nothingOfAnOutputIsLostAtItsEnd() {
    for (int i = 0; i < 20; i++) {
      out.reset();
      launch(4, "printf '%s\\n' a b c; sleep 0.0$RANK; echo $RANK");
      assertThat(lines(out)).hasSize(16);
    }
  }

  private void launch(int processes, String script) {
    run(new Nodes(processes, 1, 0, "127.0.0.1", port), plan -> plan, () -> false, script);
  }

  private RankFailedException fails(int processes, String script) {
    return catchThrowableOfType(RankFailedException.class, () -> launch(processes, script));
  }

  private void run(
      Nodes nodes, UnaryOperator<LaunchPlan> more, BooleanSupplier interrupted, String script) {
    LaunchPlan plan = LaunchPlan.of(List.of("sh", "-c", script), nodes);
    new Launcher(more.apply(plan.withGrace(Duration.ofSeconds(3))), out, err, interrupted).run();
  }

  private void run(Nodes nodes, List<String> command) {
    new Launcher(LaunchPlan.of(command, nodes), out, err, () -> false).run();
  }

  private static List<String> lines(ByteArrayOutputStream stream) {
    return stream.toString(StandardCharsets.UTF_8).lines().toList();
  }
}
