package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionReport.Call;
import java.util.List;
import org.junit.jupiter.api.Test;

class AttentionSummaryTest {
  private static final AttentionSummary SUMMARY =
      AttentionSummary.of(
          new AttentionReport(
              List.of(
                  new Call(0, 0, 0, "first steps", 1, 0, 0, 0, 1, 0.5),
                  new Call(0, 1, 0, "first steps", 1, 0, 0, 0, 1, 0.5),
                  new Call(1, 0, 0, "", 0.25, 0.05, 60, 100, 0.9, 0.1),
                  new Call(1, 1, 0, "fallback", 1, 0, 0, 0, Double.NaN, 0.5)),
              List.of()));

  @Test
  void countsDenseCallsAsWhole() {
    assertThat(SUMMARY.density()).isCloseTo(0.8125, within(1e-12));
    assertThat(SUMMARY.seconds()).isCloseTo(1.6, within(1e-12));
    assertThat(SUMMARY.recall()).isCloseTo(2.9 / 3, within(1e-12));
  }

  @Test
  void namesLayersThatNeverClusteredAndWhy() {
    assertThat(SUMMARY.denseLayers()).containsExactly(1);
    assertThat(SUMMARY.denseCalls()).containsEntry("first steps", 2L).containsEntry("fallback", 1L);
    assertThat(SUMMARY.clusters()).isEqualTo(new AttentionSummary.Clusters(100, 100, 100));
  }

  @Test
  void tellsLayersAndStepsApart() {
    assertThat(SUMMARY.perLayer().get(0).densityByStep()).containsExactly(1.0, 0.25);
    assertThat(SUMMARY.perLayer().get(0).keyClusters()).isEqualTo(100);
    assertThat(SUMMARY.perStep().get(1).density()).isCloseTo(0.625, within(1e-12));
  }

  @Test
  void aVideoWithoutCallsWasDense() {
    AttentionSummary none = AttentionSummary.of(new AttentionReport(List.of(), List.of()));
    assertThat(none.density()).isEqualTo(1);
    assertThat(none.clusters().max()).isZero();
  }
}
