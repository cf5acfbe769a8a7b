package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.CoarseAttention;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;

/**
 * Attention mass that the queries of a group themselves give to each cluster, seen as one point: W
 * = mean over the group's queries of softmax over clusters of s q.c + log n (PARK's scorer). A
 * sample of evenly spaced queries speaks for large groups; the fewer, the more of what single
 * queries want is missed. Where the tail has asked all queries already, all of them speak.
 *
 * @param samples queries that speak for a group, on average; {@link #ALL} for every query
 */
public record QueryMass(int samples) implements ClusterScorer {
  /** Every query speaks for itself. */
  public static final int ALL = Integer.MAX_VALUE;

  private static final int FEW = 16;

  /**
   * @throws UsageException if nobody speaks for a group
   */
  public QueryMass {
    if (samples < 1) {
      throw new UsageException("A scorer that asks " + samples + " queries", "Use at least 1");
    }
  }

  /** A few queries speak for a group. */
  public QueryMass() {
    this(FEW);
  }

  @Override
  public String name() {
    return named("queryMass");
  }

  /** A scorer's name with the number of samples behind it, unless it is the usual one. */
  String named(String scorer) {
    return samples == FEW ? scorer : scorer + "(" + (samples == ALL ? "all" : samples) + ")";
  }

  @Override
  public Tensor score(ScoredHead head) {
    Optional<Tensor> known = head.coarse().flatMap(CoarseAttention::weights);
    if (known.isPresent()) {
      return head.groupMeans(known.get());
    }
    try (Scope scope = Scope.open()) {
      int tokens = (int) head.operands().queries().size(0);
      int stride = (int) Math.max(1, tokens / ((long) head.groups().count() * samples));
      Tensor mass;
      if (stride == 1) {
        mass = masses(head.operands().queries(), head);
        return scope.keep(head.groupMeans(mass));
      }
      QueryGroups.Samples sample = head.groups().samples(stride);
      mass = masses(head.operands().queries().indexSelect(0, sample.positions()), head);
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, head.groups().count(), mass.size(1))
              .indexAdd(0, sample.groups(), mass);
      return scope.keep(sums.div(sample.perGroup()));
    }
  }

  private static Tensor masses(Tensor queries, ScoredHead head) {
    return queries.matmul(head.tail().keys().transpose(0, 1)).softmax(-1).to(DType.FLOAT32);
  }
}
