package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Attention mass that the queries of a group themselves give to each cluster, seen as one point: W
 * = mean over the group's queries of softmax over clusters of s q.c + log n (PARK's scorer). Evenly
 * spaced queries speak for their group.
 */
public record QueryMass() implements ClusterScorer {
  private static final int SAMPLES = 16;

  @Override
  public String name() {
    return "queryMass";
  }

  @Override
  public Tensor score(ScoredHead head) {
    try (Scope scope = Scope.open()) {
      int groups = head.groups().count();
      Tensor queries = head.operands().queries().indexSelect(0, head.groups().samples(SAMPLES));
      Tensor masses = queries.matmul(head.tail().keys().transpose(0, 1)).softmax(-1);
      return scope.keep(masses.reshape(groups, SAMPLES, -1).mean(false, 1).to(DType.FLOAT32));
    }
  }
}
