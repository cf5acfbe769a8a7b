package dev.gossamer.bench.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AttentionBenchTest {
  private static final AttentionBenchSettings SMALL =
      AttentionBenchSettings.defaults().withHeads(1).withThreads(1).withRuns(2);

  @Test
  void comparesEverySubjectWithBothRivals() {
    BenchReport report =
        AttentionBench.run(
            SMALL
                .withSubjects(AttentionSubject.parseAll("paper@.25,default@.25,sparge@.25"))
                .withTokens(List.of(1024)),
            BenchProgress.NONE);
    assertThat(report.rows())
        .extracting(row -> row.subject() + " | " + row.rival())
        .containsExactly(
            "gossamer dense bf16 | libtorch sdpa fp32",
            "paper@.25 | libtorch sdpa fp32",
            "paper@.25 | gossamer dense bf16",
            "default@.25 | libtorch sdpa fp32",
            "default@.25 | gossamer dense bf16",
            "sparge@.25 | libtorch sdpa fp32",
            "sparge@.25 | gossamer dense bf16");
    for (BenchRow row : report.rows()) {
      boolean dense = row.subject().equals(AttentionBench.OWN_DENSE);
      assertThat((double) row.more().get("density")).isCloseTo(dense ? 1 : 0.25, within(0.02));
      assertThat(row.relativeError()).isBetween(1e-4, dense ? 0.01 : 0.3);
      assertThat(row.subjectTiming().millis()).hasSize(2);
    }
    assertThat(AttentionBench.table(report)).contains("x own dense", "paper@.25", "Load average");
  }

  @Test
  void sweepTellsHowTimesGrow() {
    BenchReport report =
        AttentionBench.run(
            SMALL
                .withSubjects(AttentionSubject.parseAll("default@.25"))
                .withTokens(List.of(2048, 1024)),
            BenchProgress.NONE);
    List<BenchRow> longer =
        report.rows().stream().filter(row -> row.more().containsKey("rivalGrowth")).toList();
    assertThat(longer).hasSize(3).allMatch(row -> row.more().get("tokens").equals(2048));
    assertThat(AttentionBench.table(report)).contains("growth");
  }

  @Test
  void everyTensorIsFreedInTheEnd() {
    AttentionBenchSettings settings =
        SMALL.withSubjects(AttentionSubject.parseAll("default")).withTokens(List.of(1024));
    AttentionBench.run(settings, BenchProgress.NONE);
    long before = Tensor.live();
    AttentionBench.run(settings, BenchProgress.NONE);
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void wholeHeadsAreOneCaseEach() {
    assertThat(AttentionCase.whole())
        .extracting(AttentionCase::name)
        .containsExactly("wan mini 4096 sharp", "wan mini 4096 diffuse", "wan mini 16384");
  }

  @Test
  void refusesWhatWasNotCaptured() {
    assertThatThrownBy(() -> SMALL.withTokens(List.of(3000)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("3000 tokens");
    assertThatThrownBy(() -> SMALL.withRuns(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withSubjects(new ArrayList<>()))
        .isInstanceOf(UsageException.class);
  }
}
