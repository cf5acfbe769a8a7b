package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.video.CostPlan;
import dev.gossamer.video.MemoryPlan;
import dev.gossamer.video.Residency;
import dev.gossamer.video.VideoRequest;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class PlanTextTest {
  private static final VideoRequest REQUEST =
      new VideoRequest("a cat", "", 9, 48, 32, 3, 4, 0, new DenseAttention());

  private static PlanText plan(long free, String remedy) {
    MemoryPlan memory =
        new MemoryPlan(List.of(), 0, Residency.STAGED, 2_000_000_000, OptionalLong.of(free));
    return new PlanText(REQUEST, new CostPlan(18, 3, 1, 1, 1, 1), memory, remedy);
  }

  @Test
  void saysWhatWouldMakeARunFit() {
    PlanText plan = plan(1_000_000_000, "Use --dtype bf16");
    assertThat(plan.text()).endsWith("needs 2.0 GB, free 1.0 GB: does not fit. Use --dtype bf16");
    assertThat(plan.document().get("memory"))
        .isInstanceOfSatisfying(
            Map.class, memory -> assertThat(memory.get("remedy")).isEqualTo("Use --dtype bf16"));
  }

  @Test
  void saysNothingOfARunThatFits() {
    assertThat(plan(3_000_000_000L, "").text()).endsWith("free 3.0 GB");
  }
}
