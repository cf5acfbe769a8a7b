package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Attention mass that the queries of a group themselves give to each cluster, seen as one point: W
 * = mean over the group's queries of softmax over clusters of s q.c + log n (PARK's scorer). A
 * sample of evenly spaced queries speaks for large groups.
 */
public record QueryMass() implements ClusterScorer {
  private static final int SAMPLES_PER_GROUP = 16;

  @Override
  public String name() {
    return "queryMass";
  }

  @Override
  public Tensor score(ScoredHead head) {
    try (Scope scope = Scope.open()) {
      int tokens = (int) head.operands().queries().size(0);
      int stride = Math.max(1, tokens / (head.groups().count() * SAMPLES_PER_GROUP));
      Tensor mass;
      if (stride == 1) {
        mass = masses(head.operands().queries(), head);
        return scope.keep(head.groupMeans(mass));
      }
      QueryGroups.Samples samples = head.groups().samples(stride);
      mass = masses(head.operands().queries().indexSelect(0, samples.positions()), head);
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, head.groups().count(), mass.size(1))
              .indexAdd(0, samples.groups(), mass);
      return scope.keep(sums.div(samples.perGroup()));
    }
  }

  private static Tensor masses(Tensor queries, ScoredHead head) {
    return queries.matmul(head.tail().keys().transpose(0, 1)).softmax(-1).to(DType.FLOAT32);
  }
}
