package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Set;

/**
 * What AdaCluster chose for one head, read off from outside: labels from the report, the selection
 * from the output for values that name the cluster of each key. Which values a key has changes
 * neither clusters nor selection.
 *
 * @param queryLabels cluster of each query
 * @param keyLabels cluster of each key, at most as many as a head has numbers
 * @param selected {@code [queries][clusters]}
 * @param call what the report says of this call
 */
record Choice(int[] queryLabels, int[] keyLabels, boolean[][] selected, AttentionReport.Call call) {

  /**
   * @param settings with fixed counts and no dense steps; the tail is taken off
   */
  static Choice of(AdaClusterSettings settings, TokenGrid grid, double[][] q, double[][] k) {
    AdaClusterSettings plain = settings.withTail(AdaClusterSettings.Tail.OFF);
    AttentionPlan plan = new AttentionPlan(1, 1, 1, grid, 0, Set.of(0), AttentionPlan.FEW_ROWS);
    int width = q[0].length;
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession first = new AdaCluster(plain).open(plan, threads);
        AttentionSession second = new AdaCluster(plain).open(plan, threads)) {
      Tensor queries = Tokens.heads(DType.FLOAT32, q);
      Tensor keys = Tokens.heads(DType.FLOAT32, k);
      first.attention(0, 0).attend(queries, keys, keys, 0);
      AttentionReport.ClusterLabels labels = first.report().labels().get(0);
      Tensor values = Tokens.heads(DType.FLOAT32, Tokens.indicators(labels.keys(), width));
      double[][] shares =
          Tokens.rows(second.attention(0, 0).attend(queries, keys, values, 0), 0, 0);
      boolean[][] selected = new boolean[q.length][width];
      for (int i = 0; i < q.length; i++) {
        for (int cluster = 0; cluster < width; cluster++) {
          selected[i][cluster] = shares[i][cluster] > 0;
        }
      }
      return new Choice(labels.queries(), labels.keys(), selected, second.report().calls().get(0));
    }
  }

  /** Share of query-key pairs inside the selection. */
  double density() {
    long pairs = 0;
    for (boolean[] row : selected) {
      for (int label : keyLabels) {
        pairs += row[label] ? 1 : 0;
      }
    }
    return pairs / ((double) selected.length * keyLabels.length);
  }
}
