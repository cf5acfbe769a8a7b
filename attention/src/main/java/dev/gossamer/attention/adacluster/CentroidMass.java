package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Attention mass that the mean query of a group gives to a cluster of n keys at its mean key:
 * softmax over clusters of s q.c + log n, as SVG2 and the release do.
 */
public record CentroidMass() implements ClusterScorer {
  @Override
  public String name() {
    return "centroidMass";
  }

  @Override
  public Tensor score(ScoredHead head) {
    try (Scope scope = Scope.open()) {
      Tensor queries = head.groupMeans(head.scaledQueries());
      Tensor logits =
          queries
              .matmul(head.statistics().means().transpose(0, 1))
              .add(head.statistics().logSizes().transpose(0, 1));
      return scope.keep(logits.softmax(-1));
    }
  }
}
