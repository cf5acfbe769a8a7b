package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WireTrafficTest {
  /** The figures of moe.md 1.5: rows of a token that cross between nodes. */
  @ParameterizedTest
  @CsvSource({
    "4, 64, 4, 2.08, 3.0",
    "4, 64, 8, 2.74, 6.0",
    "4, 64, 22, 3.00, 16.5",
    "8, 256, 8, 4.63, 7.0",
    "16, 256, 8, 6.12, 7.5"
  })
  void deduplicationSendsATokenOncePerNode(
      int nodes, int experts, int topK, double deduplicated, double flat) {
    Placement group = new Placement(8 * nodes, 8);
    assertThat(WireTraffic.of(group, Dispatch.DEDUPLICATED, experts, topK).interRowsPerToken())
        .isCloseTo(deduplicated, within(0.005));
    assertThat(WireTraffic.of(group, Dispatch.FLAT, experts, topK).interRowsPerToken())
        .isEqualTo(flat);
    assertThat(WireTraffic.of(group, Dispatch.TWO_LEVEL, experts, topK).interRowsPerToken())
        .isEqualTo(flat);
  }

  /** The comparison at the end of moe.md 1.5, in units of one wide row. */
  @ParameterizedTest
  @CsvSource({
    "FLAT, 1, 6.0",
    "DEDUPLICATED, 1, 2.74",
    "FLAT, 0.25, 1.5",
    "DEDUPLICATED, 0.25, 0.69"
  })
  void narrowRowsAndDeduplicationMultiply(Dispatch dispatch, double ratio, double units) {
    WireTraffic traffic = WireTraffic.of(new Placement(32, 8), dispatch, 64, 8);
    assertThat(ratio * traffic.interRowsPerToken()).isCloseTo(units, within(0.005));
  }

  @Test
  void distinctNodesAreWhatDrawingFinds() {
    Random random = new Random(7);
    int experts = 20;
    Placement group = new Placement(6, 2); // 4, 4, 3, 3, 3, 3 experts: 8, 6, 6 per node
    int[] nodes = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2};
    List<Integer> order = new ArrayList<>();
    for (int expert = 0; expert < experts; expert++) {
      order.add(expert);
    }
    int draws = 200_000;
    long distinct = 0;
    for (int draw = 0; draw < draws; draw++) {
      Collections.shuffle(order, random);
      distinct += order.subList(0, 3).stream().mapToInt(expert -> nodes[expert]).distinct().count();
    }
    // The standard error of the mean is below 0.0015.
    assertThat(group.distinctNodes(experts, 3)).isCloseTo((double) distinct / draws, within(0.01));
  }

  @Test
  void allExpertsAreOnAllNodes() {
    assertThat(new Placement(32, 8).distinctNodes(64, 64)).isEqualTo(4);
    assertThat(new Placement(32, 8).distinctNodes(64, 1)).isCloseTo(1, within(1e-12));
    assertThat(new Placement(8, 8).distinctNodes(64, 8)).isCloseTo(1, within(1e-12));
  }

  @Test
  void twoLevelsNeedFewerMessages() {
    Placement group = new Placement(32, 8);
    WireTraffic flat = WireTraffic.of(group, Dispatch.FLAT, 64, 8);
    WireTraffic staged = WireTraffic.of(group, Dispatch.TWO_LEVEL, 64, 8);
    assertThat(flat.interMessages() + flat.intraMessages()).isEqualTo(31);
    assertThat(staged.interMessages() + staged.intraMessages()).isEqualTo(3 + 7);
    assertThat(flat.interRowsPerToken() + flat.intraRowsPerToken()).isEqualTo(8 * 31 / 32.0);
  }

  @Test
  void aGroupFillsItsNodes() {
    assertThatThrownBy(() -> new Placement(12, 8))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("do not fill nodes");
  }
}
