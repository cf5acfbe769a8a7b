package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.plan.ClusterProfile.Compute;
import dev.gossamer.moe.plan.ClusterProfile.Overhead;
import dev.gossamer.tensor.DType;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BreakEvenTest {
  /** No latency, one rank per node, nothing but products and one link: what the formula assumes. */
  private static ClusterProfile plain(int ranks, double flops, double bytesPerSecond) {
    return new ClusterProfile(
        "plain",
        "test",
        ranks,
        1,
        new Compute(flops, 1, 1, 0, 1e15),
        1L << 40,
        Optional.of(new Link(0, bytesPerSecond)),
        new Link(0, 1e15),
        Handling.NONE,
        new Overhead(0, 0, true),
        DType.BFLOAT16);
  }

  private static PlannedModel model(int hidden, int topK) {
    PlannedModel paper = PlannedModel.preset("gpt3-medium");
    return paper.withExperts(new FineGrained(hidden, 64, topK, hidden / 4, ExpertBody.PLAIN));
  }

  private static Verdict verdict(PlannedModel model, ClusterProfile cluster) {
    return PlanReport.of(model, cluster, PlanSettings.of(model, cluster)).verdict();
  }

  /** moe.md 3.3's examples: 1.5 k F / h with three quarters of the rows leaving. */
  @ParameterizedTest
  @CsvSource({
    "60e12, 1024, 8, 703e9",
    "400e12, 4096, 8, 1172e9",
    "20e9, 256, 8, 0.94e9",
    "20e9, 1024, 8, 0.23e9",
    "20e9, 1024, 2, 0.06e9"
  })
  void theFormulaIsTheOneOfTheSpecification(
      double flops, int hidden, int topK, double bytesPerSecond) {
    BreakEven breakEven = verdict(model(hidden, topK), plain(4, flops, 1e9)).breakEven();
    assertThat(breakEven.formula()).isCloseTo(1.5 * topK * flops / hidden, within(1.0));
    assertThat(breakEven.formula()).isCloseTo(bytesPerSecond, within(0.05 * bytesPerSecond));
  }

  @ParameterizedTest
  @CsvSource({"4, 60e12, 1024, 8", "8, 20e9, 256, 4", "32, 400e12, 4096, 8", "2, 5e9, 512, 1"})
  void simulationFindsWhatTheFormulaSays(int ranks, double flops, int hidden, int topK) {
    BreakEven breakEven = verdict(model(hidden, topK), plain(ranks, flops, 1e9)).breakEven();
    assertThat(breakEven.simulated() / breakEven.formula()).isCloseTo(1, within(1e-6));
  }

  @Test
  void theVerdictFlipsThere() {
    PlannedModel model = model(1024, 8);
    double turn = verdict(model, plain(8, 60e12, 1e9)).breakEven().formula();
    Verdict slower = verdict(model, plain(8, 60e12, 0.999 * turn));
    Verdict faster = verdict(model, plain(8, 60e12, 1.001 * turn));
    assertThat(slower.pays()).isTrue();
    assertThat(slower.text()).startsWith("BigMac hardly pays");
    assertThat(faster.pays()).isFalse();
    assertThat(faster.text()).startsWith("BigMac does not pay here").contains("It pays below 820");
  }

  /** A real cluster has latency, two links and slow projections; the turn is where it is found. */
  @Test
  void theVerdictFlipsOnAClusterWithLatencyAndOverlapToo() {
    PlannedModel model = PlannedModel.preset("gpt3-xl");
    ClusterProfile cluster = ClusterProfile.preset("pcie-host");
    PlanSettings settings = PlanSettings.of(model, cluster);
    BreakEven found = PlanReport.of(model, cluster, settings).verdict().breakEven();
    Placement group = settings.group(64, cluster);
    double factor = found.simulated() / found.available();
    for (double side : new double[] {0.99, 1.01}) {
      ClusterProfile there = cluster.withFasterLink(group, factor * side);
      assertThat(PlanReport.of(model, there, settings).verdict().pays()).isEqualTo(side < 1);
    }
  }

  @Test
  void matchedOperationsPayOnAnyLink() {
    PlannedModel model = model(1024, 8).withMatch(Match.FLOPS);
    BreakEven breakEven = verdict(model, plain(8, 60e12, 1e9)).breakEven();
    assertThat(breakEven.formula()).isInfinite();
    assertThat(breakEven.simulated()).isInfinite();
  }

  @Test
  void oneRankNeverPays() {
    Verdict verdict = verdict(model(1024, 8), plain(1, 60e12, 1e9));
    assertThat(verdict.pays()).isFalse();
    assertThat(verdict.text()).contains("nothing travels");
    assertThat(verdict.breakEven().simulated()).isZero();
  }

  /** moe.md 3.3: processes of one host that share memory do not wait for each other. */
  @Test
  void oneProcessorHostDoesNotPay() {
    Verdict verdict =
        verdict(PlannedModel.preset("gpt3-medium"), ClusterProfile.preset("cpu-host"));
    assertThat(verdict.pays()).isFalse();
    assertThat(verdict.text()).contains("does not pay", "the link inside the node");
  }
}
