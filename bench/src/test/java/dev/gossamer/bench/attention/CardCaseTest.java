package dev.gossamer.bench.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.Timing;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CardCaseTest {
  @Test
  void namesAreThoseOfTheModels() {
    assertThat(CardCase.ofOption("wan-1.3b")).isEqualTo(CardCase.WAN_1_3B);
    assertThat(CardCase.HUNYUAN_81.description()).isEqualTo("hunyuan-81 75856 x 24 x 128");
    assertThatThrownBy(() -> CardCase.ofOption("wan"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("hunyuan-176k");
  }

  @Test
  void theUsualSubjectsExist() {
    assertThat(CardBench.Settings.usualSubjects()).hasSize(4);
  }

  @Test
  void theTableHasALineForEachRowAndADashForWhatWasNotMeasured() {
    BenchRow row =
        new BenchRow(
            "wan-1.3b 32760 x 12 x 128",
            "default",
            "libtorch sdpa bf16",
            Timing.of(4, 5, 6),
            Timing.of(10, 10, 10),
            0.125,
            Map.of(
                "density",
                0.1,
                "pseudoKeys",
                0.03,
                "stageMillis",
                Map.of("attend", 2.5),
                "attendTflops",
                263.0,
                "rivalTflops",
                659.0));
    BenchReport report =
        new BenchReport(
            Map.of("card", "NVIDIA H200"), Map.of("dtype", "bf16", "runs", 3), List.of(row));
    assertThat(CardBench.table(report).lines().toList().get(1))
        .contains("wan-1.3b", "5.00", "10.00", "2.00", "0.1250", " - ", "2.50", "263", "659");
    assertThat(CardBench.table(report)).contains("NVIDIA H200, bf16, median of 3 runs");
  }
}
