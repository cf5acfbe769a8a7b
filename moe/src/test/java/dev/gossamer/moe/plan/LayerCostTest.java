package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.plan.PlanSettings.Activations;
import dev.gossamer.moe.plan.PlanSettings.Optimizer;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LayerCostTest {
  private static final MoeStructure LAYER = new BigMac(64, 16, 8, 2, 32, ExpertBody.PLAIN);
  private static final Handling HANDLING = new Handling(1e-6, 2e-6, 3e-6, 4e-6, 5e-3, 6e-3, 0.5);

  private static ClusterProfile cluster(Handling handling) {
    return new ClusterProfile(
        "test",
        "test",
        4,
        2,
        new ClusterProfile.Compute(1e9, 0.5, 0.8, 10, 1e15),
        1L << 30,
        Optional.of(new Link(1e-3, 1e6)),
        new Link(1e-4, 1e7),
        handling,
        new ClusterProfile.Overhead(0, 0, false),
        DType.FLOAT32);
  }

  private static LayerCost cost(Handling handling, Phase phase, int ranks, int chunks) {
    PlanSettings settings =
        new PlanSettings(
            phase,
            ranks,
            ranks,
            100,
            1,
            Dispatch.FLAT,
            chunks,
            DType.FLOAT32,
            1,
            Activations.KEPT,
            Optimizer.REPLICATED);
    Placement group = new Placement(ranks, Math.min(2, ranks));
    return new LayerCost(LAYER, group, cluster(handling), settings);
  }

  @Test
  void withoutHandlingOnlyProductsAndLinksTakeTime() {
    LayerCost plain = cost(Handling.NONE, Phase.TRAIN, 4, 1);
    assertThat(plain.route()).isEqualTo(6 * 100 * 8 * 64 / 0.5e9, offset(1e-12));
    assertThat(plain.projections()).isEqualTo(6 * 100 * 2 * 64 * 16 / 0.5e9, offset(1e-12));
    assertThat(plain.moves()).isZero();
    double rows = 100 * 2 / 2.0; // of each of the two experts of a rank
    double flops = 6 * 200.0 * 2 * 16 * 32;
    assertThat(plain.experts()).isEqualTo(flops / (0.8e9 * rows / (rows + 10)), offset(1e-12));
    assertThat(plain.exposed()).isEqualTo(4 * plain.exchange().seconds(), offset(1e-12));
  }

  @Test
  void handlingAddsWhatEachPartTakes() {
    LayerCost plain = cost(Handling.NONE, Phase.TRAIN, 4, 1);
    LayerCost handled = cost(HANDLING, Phase.TRAIN, 4, 1);
    assertThat(handled.route() - plain.route())
        .isEqualTo(100 * (8 * 1e-6 + 64 * 2e-6), offset(1e-12));
    assertThat(handled.moves()).isEqualTo(200 * (3e-6 + 16 * 4e-6), offset(1e-12));
    assertThat(handled.experts() - plain.experts()).isEqualTo(2 * 5e-3, offset(1e-12));
    double computed = handled.route() + handled.projections() + handled.moves() + handled.experts();
    assertThat(handled.exposed() - plain.exposed()).isEqualTo(6e-3 + 0.5 * computed, offset(1e-12));
  }

  @Test
  void forwardIsAThirdAndEveryChunkRunsEveryExpert() {
    assertThat(cost(HANDLING, Phase.FORWARD, 4, 1).experts())
        .isEqualTo(cost(HANDLING, Phase.TRAIN, 4, 1).experts() / 3, offset(1e-12));
    assertThat(cost(HANDLING, Phase.TRAIN, 4, 2).experts())
        .isGreaterThan(cost(HANDLING, Phase.TRAIN, 4, 1).experts() + 2 * 5e-3);
  }

  @Test
  void oneRankWaitsForNobody() {
    assertThat(cost(HANDLING, Phase.TRAIN, 1, 1).exposed()).isZero();
  }

  @Test
  void aCalibratedProfileIsReadAsItWasWritten(@TempDir Path temp) throws IOException {
    Path file = temp.resolve("cluster.json");
    ClusterProfile written = cluster(HANDLING);
    new ObjectMapper().writeValue(file.toFile(), written.document());
    ClusterProfile read = ClusterProfile.read(file);
    assertThat(read.handling().waitShare()).isEqualTo(0.5);
    assertThat(read.handling().expertSeconds()).isEqualTo(5e-3, offset(1e-15));
    assertThat(read.handling().rowElementSeconds()).isEqualTo(4e-6, offset(1e-18));
    assertThat(read.ranks()).isEqualTo(4);
    assertThat(read.wire()).isEqualTo(DType.FLOAT32);
    assertThat(read.nodeLink().orElseThrow().bytesPerSecond()).isEqualTo(1e6, offset(1e-6));
  }

  @Test
  void aBurstPassesAtOnce() {
    Link link = new Link(1e-3, 1e6, 500);
    assertThat(link.transferSeconds(400)).isZero();
    assertThat(link.transferSeconds(1500)).isEqualTo(1e-3, offset(1e-12));
    assertThat(link.faster(2).transferSeconds(1500)).isEqualTo(5e-4, offset(1e-12));
    assertThatThrownBy(() -> new Link(0, 1, -1)).isInstanceOf(UsageException.class);
  }

  @Test
  void noHandlingIsBelowZero() {
    assertThatThrownBy(() -> new Handling(0, 0, 0, 0, -1, 0, 0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Handling(0, 0, 0, 0, 0, 0, Double.NaN))
        .isInstanceOf(UsageException.class);
  }
}
