package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.plan.PlanSettings.Activations;
import dev.gossamer.moe.plan.PlanSettings.Optimizer;
import org.junit.jupiter.api.Test;

class MemoryNeedTest {
  private static final PlannedModel MODEL = PlannedModel.preset("gpt3-medium");
  private static final ClusterProfile CLUSTER = ClusterProfile.preset("a100-infiniband");
  private static final PlanSettings SETTINGS = PlanSettings.of(MODEL, CLUSTER);
  private static final MoeStructure FINE = MODEL.experts();
  private static final MoeStructure NARROW = MODEL.matched().matched();

  private static MemoryNeed need(MoeStructure structure, PlanSettings settings) {
    return MemoryNeed.of(MODEL, structure, settings.group(64, CLUSTER), settings);
  }

  /** moe.md 3.1: 2.5h against 2.5h kept, 2.25h against 1.5h when made again. */
  @Test
  void narrowRowsSaveMemoryOnlyIfActivationsAreMadeAgain() {
    double h = MODEL.hidden();
    assertThat(MemoryNeed.elementsPerRow(FINE, Activations.KEPT)).isEqualTo(2.5 * h);
    assertThat(MemoryNeed.elementsPerRow(NARROW, Activations.KEPT)).isEqualTo(2.5 * h);
    assertThat(MemoryNeed.elementsPerRow(FINE, Activations.RECOMPUTED)).isEqualTo(2.25 * h);
    assertThat(MemoryNeed.elementsPerRow(NARROW, Activations.RECOMPUTED)).isEqualTo(1.5 * h);
  }

  @Test
  void stateIsSixteenBytesPerParameterOfTheRank() {
    TransformerCount count = new TransformerCount(MODEL, FINE);
    assertThat(need(FINE, SETTINGS).state())
        .isEqualTo(16.0 * count.sharedParameters() + 16.0 * count.expertParameters() / 64);
  }

  @Test
  void recomputingAndShardingNeedLess() {
    PlanSettings kept = SETTINGS.withActivations(Activations.KEPT);
    assertThat(need(NARROW, SETTINGS).rows()).isLessThan(need(NARROW, kept).rows());
    assertThat(need(NARROW, SETTINGS).state()).isEqualTo(need(NARROW, kept).state());
    PlanSettings sharded =
        new PlanSettings(
            Phase.TRAIN,
            SETTINGS.ranks(),
            SETTINGS.expertParallel(),
            SETTINGS.tokens(),
            1,
            Dispatch.FLAT,
            1,
            SETTINGS.wire(),
            1,
            Activations.KEPT,
            Optimizer.SHARDED);
    assertThat(need(FINE, sharded).state()).isLessThan(0.5 * need(FINE, kept).state());
  }
}
