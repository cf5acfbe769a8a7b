package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.cuda.Stopwatch;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AttentionReportTest {
  private static AttentionReport.Call sparse(int step, int layer, int branch, int keyClusters) {
    return new AttentionReport.Call(
        step, layer, branch, "", 0.25, 0.0625, 65, keyClusters, 0.9, 0.5);
  }

  @Test
  void ordersCallsByStepLayerAndBranch() {
    CallLog log = new CallLog();
    log.add(sparse(1, 0, 0, 10));
    log.add(sparse(0, 1, 1, 10));
    log.add(sparse(0, 1, 0, 10));
    log.dense(0, 0, 1, "short", Stopwatch.start(Device.CPU));
    assertThat(log.report().calls().stream().map(c -> "" + c.step() + c.layer() + c.branch()))
        .containsExactly("001", "010", "011", "100");
  }

  @Test
  void averagesOverAllCallsAndSumsSeconds() {
    CallLog log = new CallLog();
    log.add(sparse(0, 0, 0, 100));
    log.add(sparse(0, 1, 0, 300));
    log.add(new AttentionReport.Call(0, 2, 0, "hard layer", 1, 0, 0, 0, 1, 2));
    AttentionReport report = log.report();
    assertThat(report.density()).isCloseTo((0.25 + 0.25 + 1) / 3, within(1e-12));
    assertThat(report.pseudoKeys()).isCloseTo(0.125 / 3, within(1e-12));
    assertThat(report.seconds()).isCloseTo(3, within(1e-12));
    assertThat(report.keyClusters().getMin()).isEqualTo(100);
    assertThat(report.keyClusters().getMax()).isEqualTo(300);
    assertThat(report.keyClusters().getCount()).isEqualTo(2);
  }

  @Test
  void nothingDoneIsNotSparse() {
    AttentionReport report = new AttentionReport(List.of(), List.of());
    assertThat(report.density()).isEqualTo(1);
    assertThat(report.seconds()).isZero();
    assertThat(report.keyClusters().getCount()).isZero();
  }

  @Test
  void takesCallsFromSeveralThreads() {
    CallLog log = new CallLog();
    IntStream.range(0, 500).parallel().forEach(step -> log.add(sparse(step, 0, 0, 1)));
    assertThat(log.report().calls().stream().mapToInt(AttentionReport.Call::step))
        .containsExactlyElementsOf(IntStream.range(0, 500).boxed().toList());
  }
}
