package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.Operands;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Recall of attention mass: how much of a query's exact softmax lies on the keys that its group
 * selected, estimated from evenly spaced queries.
 */
final class RecallProbe {
  private RecallProbe() {}

  /**
   * @param most how many queries to look at; all, if there are no more
   */
  static double estimate(
      Operands operands, QueryGroups groups, KeySelection selection, ClusterLayout keys, int most) {
    int tokens = (int) operands.queries().size(0);
    int rows = Math.min(most, tokens);
    int[] positions = new int[rows];
    for (int row = 0; row < rows; row++) {
      positions[row] = (int) ((row + 0.5) * tokens / rows);
    }
    float[] mass;
    try (Scope scope = Scope.open()) {
      Tensor queries = operands.queries().indexSelect(0, Tensor.of(positions, rows));
      mass =
          queries.matmul(operands.keys().transpose(0, 1)).to(DType.FLOAT32).softmax(-1).toFloats();
    }
    double sum = 0;
    int group = 0;
    for (int row = 0; row < rows; row++) {
      while (groups.start(group + 1) <= positions[row]) {
        group++;
      }
      for (int at = selection.start(group); at < selection.end(group); at++) {
        int cluster = selection.cluster(at);
        for (int key = keys.start(cluster); key < keys.start(cluster + 1); key++) {
          sum += mass[row * keys.tokens() + key];
        }
      }
    }
    return sum / rows;
  }
}
