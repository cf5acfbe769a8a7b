package dev.gossamer.distributed.c10d;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.distributed.c10d.RankProcesses.Ending;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks as processes of this machine, in good times and in bad. */
@EnabledOnOs(OS.LINUX)
@Tag("slow")
class GlooTest {
  /** For exchanges that should succeed, and for failures that should be noticed at once. */
  private static final long PATIENT = 60_000;

  /** For waits that should end. */
  private static final long IMPATIENT = 4_000;

  @TempDir Path folder;
  private RankProcesses ranks;

  @BeforeEach
  void choosePort() throws IOException {
    ranks = new RankProcesses(folder);
  }

  @AfterEach
  void endAll() {
    ranks.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void ranksExchangeAsTheyShould(int size) {
    ranks.startAll(size, "exchanges", PATIENT);
    assertThat(ranks.endings()).allSatisfy(GlooTest::isDone);
  }

  @ParameterizedTest
  @CsvSource({
    "kill, all-to-all of rows of 4 FLOAT32",
    "kill in rows, all-to-all of rows of 4 FLOAT32",
    "kill in a sum, all-reduce SUM of 4194304 FLOAT32"
  })
  void aRankKilledInAnExchangeIsNamedByAllOthersLongBeforeTheTimeOut(String play, String what) {
    ranks.startAll(3, play, PATIENT);
    assertThat(ranks.ending(1).exitCode()).isEqualTo(9);
    fails(0, "Rank 0 lost rank 1 in " + what);
    fails(2, "Rank 2 lost rank 1 in " + what);
  }

  @Test
  void aRankThatHangsIsNamedAfterTheTimeOut() {
    ranks.startAll(3, "hang", IMPATIENT);
    fails(0, "Rank 0 waited 4 s in all-reduce SUM of 1 INT64 for rank 1");
    fails(2, "Rank 2 waited 4 s in all-reduce SUM of 1 INT64 for rank 1");
  }

  @Test
  void aKeeperOfTheRegisterThatStopsIsNamedToo() {
    ranks.startAll(3, "stop", IMPATIENT);
    fails(1, "Rank 1 waited 4 s in all-reduce SUM of 1 INT64 for rank 0");
    fails(2, "Rank 2 waited 4 s in all-reduce SUM of 1 INT64 for rank 0");
  }

  @Test
  void aRankThatThrowsIsNamed() {
    ranks.startAll(2, "throw", PATIENT);
    fails(1, "out of ideas");
    fails(0, "Rank 0 lost rank 1 in all-reduce SUM of 1 INT64");
  }

  @Test
  void aGroupNamesItsMembersAsTheWorldKnowsThem() {
    ranks.startAll(4, "group", PATIENT);
    isDone(ranks.ending(0));
    isDone(ranks.ending(1));
    fails(2, "Rank 2 lost rank 3 in all-reduce SUM of 1 INT64");
  }

  @Test
  void rowCountsThatDisagreeAreToldToAll() {
    ranks.startAll(3, "rows", PATIENT);
    String reason = "Rank 0 expects 3 rows of rank 1, which sends 1";
    fails(0, reason);
    fails(1, reason);
    assertThat(ranks.ending(2).output())
        .matches("(?s).*Rank 2 was in all-to-all of rows of 8 FLOAT32 when rank [01] failed: .*");
    fails(2, reason);
  }

  @Test
  void callsThatDifferAreTold() {
    ranks.startAll(2, "calls", PATIENT);
    fails(
        0,
        "Rank 0 is in all-reduce SUM of 2 FLOAT32,"
            + " rank 1 in broadcast from rank 0 of 2 FLOAT32");
    assertThat(ranks.ending(1).exitCode()).isEqualTo(1);
  }

  @Test
  void shapesThatDifferAreTold() {
    ranks.startAll(2, "shapes", PATIENT);
    fails(0, "Rank 0 is in all-reduce SUM of 2 FLOAT32, rank 1 in all-reduce SUM of 3 FLOAT32");
    assertThat(ranks.ending(1).exitCode()).isEqualTo(1);
  }

  @Test
  void aPortInUseIsTold() throws IOException {
    try (ServerSocket taken = new ServerSocket(ranks.port())) {
      start(0, 2, IMPATIENT);
      fails(0, "Rank 0 cannot keep the ranks' register at port " + taken.getLocalPort());
      start(1, 2, IMPATIENT); // meets whoever has the port, who says nothing
      fails(1, "what listens there does not answer within 4 s");
    }
  }

  @Test
  void aRankThatNeverComesIsNamed() {
    start(0, 3, IMPATIENT);
    start(2, 3, IMPATIENT);
    fails(0, "Rank 0 waited 4 s at 127.0.0.1:" + ranks.port() + " for rank 1");
    assertThat(ranks.ending(2).exitCode()).isEqualTo(1);
  }

  @Test
  void rankZeroThatNeverComesIsTold() {
    start(1, 2, IMPATIENT);
    fails(1, "Rank 1 found no rank 0 at 127.0.0.1:" + ranks.port() + " within 4 s: Connection");
  }

  @Test
  void ranksOfDifferentWorldsAreTold() {
    start(0, 2, PATIENT);
    start(1, 3, PATIENT);
    fails(0, "Rank 0 was told of 2 ranks, rank 1 of 3");
    assertThat(ranks.ending(1).exitCode()).isEqualTo(1);
  }

  @Test
  void twoProcessesOfOneRankAreTold() {
    start(0, 3, 3 * IMPATIENT);
    ranks.start("1", 1, 3, "connect", 3 * IMPATIENT, Map.of());
    ranks.start("twin", 1, 3, "connect", 3 * IMPATIENT, Map.of());
    assertThat(ranks.ending(1).output() + ranks.ending("twin").output())
        .contains("Two processes that meet at 127.0.0.1:" + ranks.port() + " both are rank 1");
    assertThat(ranks.ending(0).exitCode()).isEqualTo(1);
  }

  @Test
  void anInterfaceThatIsNotThereIsTold() {
    ranks.start("0", 0, 2, "connect", IMPATIENT, Map.of("GLOO_SOCKET_IFNAME", "nosuch0"));
    Ending ending = ranks.ending(0);
    assertThat(ending.exitCode()).isEqualTo(4);
    assertThat(ending.output())
        .contains("GLOO_SOCKET_IFNAME names nosuch0, which is no interface", "lo");
  }

  @Test
  void anInterfaceThatIsThereIsUsed() {
    for (int rank = 0; rank < 2; rank++) {
      ranks.start(
          String.valueOf(rank), rank, 2, "connect", PATIENT, Map.of("GLOO_SOCKET_IFNAME", "lo"));
    }
    assertThat(ranks.endings()).allSatisfy(GlooTest::isDone);
  }

  @Test
  void aWorldOfOneNeedsNoNetwork() {
    start(0, 1, IMPATIENT);
    isDone(ranks.ending(0));
  }

  private void start(int rank, int size, long timeoutMillis) {
    ranks.start(String.valueOf(rank), rank, size, "connect", timeoutMillis, Map.of());
  }

  private static void isDone(Ending ending) {
    assertThat(ending.output() + ending.errors()).isEqualTo("done");
    assertThat(ending.exitCode()).isZero();
  }

  private void fails(int rank, String why) {
    Ending ending = ranks.ending(rank);
    assertThat(ending.output()).as(ending.errors()).contains(why).hasLineCount(1);
    assertThat(ending.exitCode()).isEqualTo(1);
  }
}
