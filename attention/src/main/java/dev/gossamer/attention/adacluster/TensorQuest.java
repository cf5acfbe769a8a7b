package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Quest's upper bound of a query's logits in a cluster, as matrix products (AdaCluster,
 * TensorQuest): U = q+ Kmax^T + q- Kmin^T with q+ = max(q, 0), q- = min(q, 0), so that q.k <= U for
 * every key of the cluster. q is the mean direction of the group; a length would not change the
 * ranking. Kmax and Kmin are the true extremes of the cluster, not clamped at zero.
 */
public record TensorQuest() implements ClusterScorer {
  @Override
  public String name() {
    return "tensorQuest";
  }

  @Override
  public Tensor score(ScoredHead head) {
    try (Scope scope = Scope.open()) {
      Tensor extremes = head.extremes();
      return scope.keep(
          upperBound(head.groupDirections(), extremes.select(0, 0), extremes.select(0, 1)));
    }
  }

  /**
   * @param queries {@code [groups, headDim]}
   * @param largest {@code [clusters, headDim]}, per dimension
   * @param smallest {@code [clusters, headDim]}, per dimension
   * @return {@code [groups, clusters]}
   */
  static Tensor upperBound(Tensor queries, Tensor largest, Tensor smallest) {
    try (Scope scope = Scope.open()) {
      Tensor positive = queries.clamp(0, Double.POSITIVE_INFINITY);
      Tensor negative = queries.clamp(Double.NEGATIVE_INFINITY, 0);
      return scope.keep(
          positive.matmul(largest.transpose(0, 1)).add(negative.matmul(smallest.transpose(0, 1))));
    }
  }
}
