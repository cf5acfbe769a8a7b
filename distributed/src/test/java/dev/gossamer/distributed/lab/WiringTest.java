package dev.gossamer.distributed.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.distributed.launch.RankPlace;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What would be run, without running it. */
class WiringTest {
  private static final LabNames NAMES = LabNames.of(7);

  @Test
  void aLabIsBuiltByTheseCommands() {
    LabPlan plan = new LabPlan(1, 2, LinkShape.of("100mbit"), Layout.NODES);
    assertThat(Wiring.steps(plan, NAMES).stream().map(Step::toString))
        .containsExactly(
            "ip netns add gs7-hub",
            "ip -n gs7-hub link add gs7-br type bridge mcast_snooping 0",
            "ip -n gs7-hub link set gs7-br addrgenmode none",
            "ip -n gs7-hub link set gs7-br up",
            "ip netns add gs7-n0",
            "ip -n gs7-hub link add gs7-n0 type veth peer name eth0 netns gs7-n0",
            "ip -n gs7-n0 link set lo up",
            "ip -n gs7-n0 link set eth0 addrgenmode none",
            "ip -n gs7-n0 addr add 10.231.0.10/24 dev eth0",
            "tc -n gs7-n0 qdisc replace dev eth0 root tbf rate 100000000bit burst 125000b latency"
                + " 160ms",
            "tc -n gs7-hub qdisc replace dev gs7-n0 root tbf rate 100000000bit burst 125000b"
                + " latency 160ms",
            "ip -n gs7-hub link set gs7-n0 addrgenmode none",
            "ip -n gs7-hub link set gs7-n0 master gs7-br",
            "ip -n gs7-hub link set gs7-n0 up",
            "ip -n gs7-n0 link set eth0 up");
    assertThat(Wiring.congestionControl(NAMES, 1, "cubic"))
        .hasToString(
            "ip -n gs7-n1 route replace 10.231.0.0/24 dev eth0 src 10.231.0.11 congctl cubic");
  }

  @Test
  void aLinkWithoutARateIsNotShaped() {
    LabPlan plan = new LabPlan(3, 1, LinkShape.of("none"), Layout.NODES);
    assertThat(Wiring.steps(plan, NAMES)).noneMatch(step -> step.words().contains("tbf"));
  }

  @Test
  void everyStepSaysWhatToDoIfItFails() {
    LabPlan plan = new LabPlan(2, 2, LinkShape.of("1gbit"), Layout.FLAT);
    assertThat(Wiring.steps(plan, NAMES)).noneMatch(step -> step.remedy().isBlank());
  }

  @Test
  void ranksOfANodeShareItsNamespace() {
    LabPlan plan = new LabPlan(4, 2, LinkShape.of("100mbit"), Layout.NODES);
    List<RankPlace> places = Lab.places(plan, NAMES, "/sbin/ip");
    assertThat(places).hasSize(8);
    RankPlace place = places.get(5);
    assertThat(place.entrance()).containsExactly("/sbin/ip", "netns", "exec", "gs7-n2");
    assertThat(place.variables()).containsEntry("GLOO_SOCKET_IFNAME", "eth0");
    assertThat(LinkShape.of(place.variables().get(Lab.RATE_VARIABLE))).isEqualTo(plan.link());
    RankEnvironment rank = RankEnvironment.of(place.variables());
    assertThat(rank.rank()).isEqualTo(5).isEqualTo(place.rank());
    assertThat(rank.size()).isEqualTo(8);
    assertThat(rank.localRank()).isEqualTo(1);
    assertThat(rank.localSize()).isEqualTo(2);
    assertThat(rank.masterAddress()).isEqualTo("10.231.0.10");
    assertThat(rank.masterPort()).isEqualTo(29500);
  }

  @Test
  void inAFlatLabEachRankIsANode() {
    LabPlan plan = new LabPlan(4, 2, LinkShape.of("100mbit"), Layout.FLAT);
    List<RankPlace> places = Lab.places(plan, NAMES, "ip");
    assertThat(places.stream().map(place -> place.entrance().get(3)).distinct()).hasSize(8);
    assertThat(places)
        .allMatch(place -> RankEnvironment.of(place.variables()).localSize() == 1)
        .allMatch(place -> place.variables().get("GROUP_RANK").equals("" + place.rank()));
  }

  @Test
  void namesFitIntoALinksName() {
    assertThat(LabNames.of(9999).namespaces(128))
        .hasSize(129)
        .allMatch(name -> name.length() <= 15);
    assertThat(LabNames.address(127)).isEqualTo("10.231.0.137");
  }

  @Test
  void impossibleLabsAreRefused() {
    LinkShape link = LinkShape.of("none");
    for (int[] size : new int[][] {{0, 1}, {1, 0}, {-4, -2}, {129, 1}, {65536, 65536}}) {
      assertThatThrownBy(() -> new LabPlan(size[0], size[1], link, Layout.NODES))
          .isInstanceOf(UsageException.class);
    }
  }

  @Test
  void countersAreReadAtTheHub() {
    assertThat(NodeTraffic.reading(NAMES, 2).words())
        .startsWith("ip", "netns", "exec", "gs7-hub", "cat")
        .endsWith("/sys/class/net/gs7-n1/statistics/tx_bytes");
    List<NodeTraffic> traffic = NodeTraffic.parse("10\n20\n30\n40\n");
    assertThat(traffic).containsExactly(new NodeTraffic(0, 10, 20), new NodeTraffic(1, 30, 40));
    assertThat(traffic.get(1).since(new NodeTraffic(1, 1, 2)))
        .isEqualTo(new NodeTraffic(1, 29, 38));
  }
}
