package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * How much a cluster's single point gets wrong, per key that the cure costs (our step beyond the
 * paper). With the tail, what matters is not the mass of a cluster but the error of its pseudo-key:
 * score = W v / n, with W the {@link QueryMass}, n the cluster's size, and v = s^2 sum_t
 * mean(q_t^2) var_t(k) the variance of the logits inside the cluster as the queries of the group
 * see them.
 *
 * @param mass how W is found
 */
public record ExpectedError(QueryMass mass) implements ClusterScorer {
  /** W from a few queries of each group. */
  public ExpectedError() {
    this(new QueryMass());
  }

  @Override
  public String name() {
    return mass.named("expectedError");
  }

  @Override
  public Tensor score(ScoredHead head) {
    try (Scope scope = Scope.open()) {
      Tensor weights = mass.score(head);
      KeyStatistics statistics = head.statistics();
      Tensor variance = head.groupSquares().matmul(statistics.variances().transpose(0, 1));
      return scope.keep(weights.mul(variance).div(statistics.sizes().transpose(0, 1)));
    }
  }
}
