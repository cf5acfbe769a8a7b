package dev.gossamer.bench.exchange;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.distributed.lab.LinkShape;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExchangeBenchTest {
  private static final ExchangeBenchSettings SMALL =
      ExchangeBenchSettings.DEFAULT.withSizes(List.of(1024L)).withRuns(2, 0);

  private static BenchReport run(ExchangeBenchSettings settings, int ranks) {
    BenchReport[] reports = new BenchReport[ranks];
    LocalRanks.run(
        ranks,
        world ->
            reports[world.rank()] =
                ExchangeBench.run(settings, world, Device.CPU, BenchProgress.NONE));
    return reports[0];
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 0, 0", "2, 1, 512, 1024", "4, 2, 1024, 1536", "4, 4, 0, 0"})
  void whatLeavesANodeIsCounted(int ranks, int perNode, long allToAll, long allReduce) {
    long before = Tensor.live();
    BenchReport report = run(SMALL.withNodes(perNode, LinkShape.of("100mbit")), ranks);
    assertThat(report.rows())
        .extracting(BenchRow::subject)
        .containsExactly("all-to-all", "all-reduce");
    assertThat(report.rows())
        .extracting(row -> row.more().get("nodeBytes"))
        .containsExactly(allToAll, allReduce);
    for (BenchRow row : report.rows()) {
      double rate = (long) row.more().get("nodeBytes") * 8e3 / row.subjectTiming().median();
      assertThat((double) row.more().get("nodeBitsPerSecond"))
          .isCloseTo(rate, within(1e-6 * rate + 1e-9));
      assertThat((double) row.more().get("lineShare"))
          .isCloseTo(rate / 1e8, within(1e-6 * rate / 1e8 + 1e-9));
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void bytesThatRanksDoNotDivideAreSentAll() {
    BenchReport report = run(SMALL.withSizes(List.of(7L)), 3);
    // Ranks 0, 1, 2 are due 3, 2 and 2 bytes of each; all but its own leave a rank.
    assertThat(report.rows().get(0).more().get("nodeBytes")).isEqualTo((4L + 5 + 5) / 3);
  }

  @Test
  void aSeriesLastsAsLongAsItShould() {
    BenchReport report = run(SMALL.withRuns(1, 0.05), 2);
    assertThat((int) report.rows().get(0).more().get("exchangesPerRun")).isGreaterThan(1);
    assertThat(report.rows().get(0).more()).doesNotContainKey("lineShare");
    assertThat(ExchangeBench.table(report)).contains("1024 bytes on 2 ranks");
  }

  @Test
  void nothingToMeasureIsRefused() {
    assertThatThrownBy(() -> SMALL.withSizes(List.of())).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withSizes(List.of(0L))).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withRuns(0, 1)).isInstanceOf(UsageException.class);
  }
}
