package dev.gossamer.attention;

import java.util.ArrayList;
import java.util.IntSummaryStatistics;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What the attentions of one video did.
 *
 * @param calls one entry per attention call, ordered by step, layer, branch
 * @param labels cluster labels of the steps that the plan wanted explained
 */
public record AttentionReport(List<Call> calls, List<ClusterLabels> labels) {
  public AttentionReport {
    calls = List.copyOf(calls);
    labels = List.copyOf(labels);
  }

  /**
   * One call of one attention, means over batch and heads.
   *
   * @param dense why it was computed in full, empty if it was not
   * @param density share of all query-key pairs that were computed exactly
   * @param pseudoKeys further share spent on one point per cluster (the tail)
   * @param queryClusters clusters of queries, 0 if dense
   * @param keyClusters clusters of keys, 0 if dense
   * @param recall estimated share of attention mass inside the exact pairs; NaN if not measured
   * @param seconds wall time
   */
  public record Call(
      int step,
      int layer,
      int branch,
      String dense,
      double density,
      double pseudoKeys,
      int queryClusters,
      int keyClusters,
      double recall,
      double seconds) {}

  /**
   * Which cluster each token belonged to, in one head.
   *
   * @param queries label per token
   * @param keys label per token
   */
  public record ClusterLabels(
      int step, int layer, int branch, int head, int[] queries, int[] keys) {}

  /** This report followed by that of the steps after it. */
  public AttentionReport then(AttentionReport later) {
    List<Call> allCalls = new ArrayList<>(calls);
    allCalls.addAll(later.calls);
    List<ClusterLabels> allLabels = new ArrayList<>(labels);
    allLabels.addAll(later.labels);
    return new AttentionReport(allCalls, allLabels);
  }

  /** Mean density over all calls, dense ones counted as 1. */
  public double density() {
    return mean(Call::density);
  }

  /** Mean share of pseudo-keys over all calls. */
  public double pseudoKeys() {
    return mean(Call::pseudoKeys);
  }

  /** Seconds of all calls, summed (branches that ran side by side count twice). */
  public double seconds() {
    return calls.stream().mapToDouble(Call::seconds).sum();
  }

  /** Key clusters over all clustered calls. */
  public IntSummaryStatistics keyClusters() {
    return calls.stream()
        .filter(call -> call.dense().isEmpty())
        .mapToInt(Call::keyClusters)
        .summaryStatistics();
  }

  private double mean(ToDoubleFunction<Call> of) {
    return calls.stream().mapToDouble(of).average().orElse(1);
  }
}
