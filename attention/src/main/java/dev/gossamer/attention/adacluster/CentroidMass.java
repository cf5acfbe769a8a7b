package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.KeyStatistics;
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
      KeyStatistics statistics = head.statistics();
      Tensor logits =
          head.groupQueries()
              .matmul(statistics.means().transpose(0, 1))
              .add(statistics.logSizes().transpose(0, 1));
      return scope.keep(logits.softmax(-1));
    }
  }
}
