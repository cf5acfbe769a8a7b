package dev.gossamer.attention;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects what attentions did; safe to use from several branches at once. */
public final class CallLog {
  private final List<AttentionReport.Call> calls = new ArrayList<>();
  private final List<AttentionReport.ClusterLabels> labels = new ArrayList<>();

  public synchronized void add(AttentionReport.Call call) {
    calls.add(call);
  }

  public synchronized void add(AttentionReport.ClusterLabels clusterLabels) {
    labels.add(clusterLabels);
  }

  /**
   * Notes a call that was computed in full.
   *
   * @param reason why, in a word or two
   * @param startNanos {@link System#nanoTime} when it began
   */
  public void dense(int step, int layer, int branch, String reason, long startNanos) {
    double seconds = (System.nanoTime() - startNanos) / 1e9;
    add(new AttentionReport.Call(step, layer, branch, reason, 1, 0, 0, 0, 1, seconds));
  }

  public synchronized AttentionReport report() {
    List<AttentionReport.Call> ordered = new ArrayList<>(calls);
    ordered.sort(
        Comparator.comparingInt(AttentionReport.Call::step)
            .thenComparingInt(AttentionReport.Call::layer)
            .thenComparingInt(AttentionReport.Call::branch));
    return new AttentionReport(ordered, labels);
  }
}
