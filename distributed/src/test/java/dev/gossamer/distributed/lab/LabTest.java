package dev.gossamer.distributed.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.distributed.launch.LaunchPlan;
import dev.gossamer.distributed.launch.Nodes;
import dev.gossamer.distributed.launch.RankCommand;
import dev.gossamer.distributed.launch.RankFailedException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Labs that are really built; skipped where they cannot be. */
@Timeout(120)
class LabTest {
  private static final LinkShape FAST = LinkShape.of("100mbit");

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final List<String> remarks = new ArrayList<>();

  /** Names of labs that this test built. */
  private final List<String> labs = new ArrayList<>();

  @BeforeEach
  void aLabIsPossible() {
    List<Ability> abilities = LabCheck.ofThisMachine();
    assumeTrue(
        LabCheck.isEnough(abilities), () -> "no lab here: " + abilities.get(abilities.size() - 1));
  }

  @AfterEach
  void nothingIsLeft() {
    for (String lab : labs) {
      assertThat(Iproute.run(Step.of("", "ip", "netns"))).doesNotContain(lab + "-");
      assertThat(Iproute.run(Step.of("", "ip", "-o", "link"))).doesNotContain(lab + "-");
      assertThat(Files.exists(LabRegister.SYSTEM.folder().resolve(lab))).isFalse();
    }
  }

  @Test
  void ranksOfDifferentNodesMeetOverTheLinksAndTheirBytesAreCounted() {
    int bytes = 4_000_000;
    LabReport report = run(new LabPlan(2, 2, FAST, Layout.NODES), parcel(bytes, 4), () -> false);
    assertThat(lines(out)).containsExactly("[0] " + bytes + " from 10.231.0.11");
    NodeTraffic receiver = report.traffic().get(0);
    NodeTraffic sender = report.traffic().get(1);
    // Frames carry 1448 bytes of payload in 1514; segments that leave unsplit count one header.
    assertThat((double) sender.sentBytes() / bytes).isBetween(1.001, 1.06);
    assertThat((double) receiver.receivedBytes()).isCloseTo(sender.sentBytes(), within(1e4));
    assertThat(receiver.sentBytes()).as("acknowledgements").isLessThan(bytes / 20);
    assertThat(report.congestionControl()).isEqualTo("cubic");
    assertThat(remarks)
        .hasSize(2)
        .first()
        .asString()
        .contains("2 nodes x 2 ranks, links 100 Mbit/s each way, burst 125 kB, queue 160 ms");
  }

  @Test
  void whatRanksOfANodeTellEachOtherPassesNoLink() {
    LabReport report =
        run(new LabPlan(1, 2, FAST, Layout.NODES), parcel(4_000_000, 2), () -> false);
    assertThat(lines(out)).containsExactly("[0] 4000000 from 10.231.0.10");
    assertThat(report.traffic()).allMatch(node -> node.sentBytes() < 1000);
  }

  @Test
  void inAFlatLabTheyDo() {
    LabReport report = run(new LabPlan(1, 2, FAST, Layout.FLAT), parcel(4_000_000, 2), () -> false);
    assertThat(report.traffic()).hasSize(2).anyMatch(node -> node.sentBytes() > 4_000_000);
  }

  @Test
  @Tag("slow")
  void aLinkCarriesItsRateInBothDirections() {
    LinkMeasurement link = LinkMeasurement.take(FAST, Duration.ofSeconds(2), err, () -> false);
    for (double rate :
        new double[] {link.there(), link.back(), link.thereTogether(), link.backTogether()}) {
      assertThat(rate / FAST.bitsPerSecond()).as(link.table()).isBetween(0.85, 1.03);
    }
  }

  @Test
  void theFirstFailureStopsAll() {
    RankFailedException failure =
        catchThrowableOfType(
            RankFailedException.class,
            () ->
                run(
                    new LabPlan(2, 2, FAST, Layout.NODES),
                    shell("[ $RANK = 3 ] && echo boom >&2 && exit 5; sleep 300"),
                    () -> false));
    labs.add(built());
    assertThat(failure).hasMessageContaining("Rank 3 failed first, exit code 5: boom");
    assertThat(remarks).as("traffic is told all the same").hasSize(2);
  }

  @Test
  void aKilledRankStopsAll() {
    RankFailedException failure =
        catchThrowableOfType(
            RankFailedException.class,
            () ->
                run(
                    new LabPlan(2, 1, FAST, Layout.NODES),
                    shell("[ $RANK = 1 ] && kill -9 $$; sleep 300"),
                    () -> false));
    labs.add(built());
    assertThat(failure).hasMessageContaining("Rank 1 failed first, ended by SIGKILL");
  }

  @Test
  void aProcessThatGotAwayEndsWithItsNamespace() throws Exception {
    run(
        new LabPlan(1, 1, FAST, Layout.NODES),
        shell("setsid sh -c 'echo $$; exec sleep 300' & sleep 0.5"),
        () -> false);
    long pid = Long.parseLong(lines(out).get(0).substring(4));
    for (ProcessHandle left : ProcessHandle.of(pid).stream().toList()) {
      left.onExit().get(20, TimeUnit.SECONDS); // killed; init may take a while to notice
    }
  }

  @Test
  void anInterruptionStopsAll() {
    assertThatThrownBy(
            () ->
                run(
                    new LabPlan(2, 2, FAST, Layout.NODES),
                    shell("echo here; sleep 300"),
                    () -> lines(out).size() == 4))
        .isInstanceOf(InterruptedRunException.class);
    labs.add(built());
  }

  @Test
  void anInterruptionWhileBuildingLeavesNothing() {
    AtomicInteger steps = new AtomicInteger();
    int before = LabRegister.SYSTEM.all().size();
    assertThatThrownBy(
            () ->
                Lab.build(
                    new LabPlan(2, 1, FAST, Layout.NODES), () -> steps.incrementAndGet() > 12))
        .isInstanceOf(InterruptedRunException.class);
    assertThat(LabRegister.SYSTEM.all()).hasSize(before);
  }

  @Test
  void twoLabsStandSideBySide() {
    LabPlan plan = new LabPlan(2, 1, FAST, Layout.NODES);
    try (Lab one = Lab.build(plan, () -> false);
        Lab other = Lab.build(plan, () -> false)) {
      labs.addAll(List.of(one.name(), other.name()));
      assertThat(one.name()).isNotEqualTo(other.name());
      assertThat(one.traffic()).hasSize(2);
      one.close();
      assertThat(other.traffic()).hasSize(2);
      assertThat(CleanedLab.all())
          .as("whose process is alive")
          .contains(new CleanedLab(other.name(), ProcessHandle.current().pid(), false));
    }
  }

  @Test
  void whatTheKernelRefusesIsOneLineWithItsRemedy() {
    assertThatThrownBy(() -> Iproute.run(Step.addBridge("gs1-nowhere", "gs1-br")))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("ip -n gs1-nowhere link add gs1-br type bridge")
        .hasMessageContaining("No such file")
        .hasMessageContaining("modprobe bridge");
  }

  private LabReport run(LabPlan plan, List<String> command, BooleanSupplier interrupted) {
    LaunchPlan ranks =
        LaunchPlan.of(command, Nodes.one(plan.ranks())).withTimeout(Duration.ofSeconds(60));
    LabReport report = new LabRun(plan, ranks).run(out, err, remarks::add, interrupted);
    labs.add(report.lab());
    return report;
  }

  /** The lab that the headline names. */
  private String built() {
    return Arrays.asList(remarks.get(0).split("[ :]")).get(1);
  }

  private static List<String> parcel(int bytes, int ranks) {
    return RankCommand.java(Parcel.class.getName(), List.of("" + bytes), ranks);
  }

  private static List<String> shell(String script) {
    return List.of("sh", "-c", script);
  }

  private static List<String> lines(ByteArrayOutputStream stream) {
    return stream.toString(StandardCharsets.UTF_8).lines().toList();
  }
}
