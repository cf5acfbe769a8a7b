package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * What the authors' release computes in place of Quest's bound: the products of same-signed parts
 * of query and key centroid, q+ c+^T + q- c-^T. Neither a bound nor the paper; kept for comparison.
 */
public record PseudoQuest() implements ClusterScorer {
  @Override
  public String name() {
    return "pseudoQuest";
  }

  @Override
  public Tensor score(ScoredHead head) {
    try (Scope scope = Scope.open()) {
      Tensor means = head.statistics().means();
      return scope.keep(
          TensorQuest.upperBound(
              head.groupDirections(),
              means.clamp(0, Double.POSITIVE_INFINITY),
              means.clamp(Double.NEGATIVE_INFINITY, 0)));
    }
  }
}
