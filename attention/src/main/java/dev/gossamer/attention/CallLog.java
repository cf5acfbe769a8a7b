package dev.gossamer.attention;

import dev.gossamer.tensor.cuda.Stopwatch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;

/** Collects what attentions did; safe to use from several branches at once. */
public final class CallLog {
  private final List<Supplier<AttentionReport.Call>> calls = new ArrayList<>();
  private final List<AttentionReport.ClusterLabels> labels = new ArrayList<>();

  public synchronized void add(AttentionReport.Call call) {
    calls.add(() -> call);
  }

  /** A call whose figures are still on their way from a card; asked once, for a report. */
  public synchronized void add(Supplier<AttentionReport.Call> call) {
    calls.add(call);
  }

  public synchronized void add(AttentionReport.ClusterLabels clusterLabels) {
    labels.add(clusterLabels);
  }

  /**
   * Notes a call that was computed in full.
   *
   * @param reason why, in a word or two
   * @param watch begun before it
   */
  public void dense(int step, int layer, int branch, String reason, Stopwatch watch) {
    DoubleSupplier seconds = watch.stop();
    add(
        () ->
            new AttentionReport.Call(
                step, layer, branch, reason, 1, 0, 0, 0, 1, seconds.getAsDouble()));
  }

  public synchronized AttentionReport report() {
    calls.replaceAll(
        call -> {
          AttentionReport.Call read = call.get();
          return () -> read;
        });
    List<AttentionReport.Call> ordered = new ArrayList<>();
    calls.forEach(call -> ordered.add(call.get()));
    ordered.sort(
        Comparator.comparingInt(AttentionReport.Call::step)
            .thenComparingInt(AttentionReport.Call::layer)
            .thenComparingInt(AttentionReport.Call::branch));
    return new AttentionReport(ordered, labels);
  }
}
