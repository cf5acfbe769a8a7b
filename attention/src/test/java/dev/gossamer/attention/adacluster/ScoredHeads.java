package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusteredHead;
import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.attention.clusters.Operands;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/** Heads with given labels, as scorers want to see them. Tensors belong to the current scope. */
final class ScoredHeads {
  private ScoredHeads() {}

  static ScoredHead of(ClusteredHead head, QueryGroups groups) {
    Operands operands = head.operands();
    KeyStatistics statistics = KeyStatistics.of(operands, head.keys());
    return new SortedHead(
        operands,
        groups,
        head.keys(),
        statistics,
        statistics.tail(head.products()),
        Optional.empty());
  }

  static double[][] scores(ClusterScorer scorer, ClusteredHead head, QueryGroups groups) {
    Tensor scores = scorer.score(of(head, groups));
    double[] flat = scores.toDoubles();
    double[][] rows = new double[groups.count()][head.keys().clusters()];
    for (int group = 0; group < rows.length; group++) {
      System.arraycopy(flat, group * rows[0].length, rows[group], 0, rows[0].length);
    }
    return rows;
  }

  /** The queries of a group, in sorted order. */
  static double[][] queriesOf(ClusteredHead head, QueryGroups groups, int group) {
    int[] order = head.queries().order().toInts();
    double[][] rows = new double[groups.size(group)][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = head.q()[order[groups.start(group) + i]];
    }
    return rows;
  }
}
