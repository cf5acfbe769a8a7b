package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;

/**
 * Attention mass that the queries of a group themselves give to each cluster, seen as one point: W
 * = mean over the group's queries of softmax over clusters of s q.c + log n (PARK's scorer). Evenly
 * spaced queries speak for their group; the fewer, the more of what single queries want is missed.
 *
 * @param samples queries that speak for each group; {@link #ALL} for every query
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
    try (Scope scope = Scope.open()) {
      if (samples == ALL) {
        return scope.keep(
            head.groupMeans(masses(head.operands().queries(), head).to(DType.FLOAT32)));
      }
      Tensor positions = head.groups().samples(samples);
      Tensor masses = masses(head.operands().queries().indexSelect(0, positions), head);
      return scope.keep(
          masses.reshape(head.groups().count(), samples, -1).mean(false, 1).to(DType.FLOAT32));
    }
  }

  /** [queries, clusters]: how each query spreads its attention over the clusters. */
  private static Tensor masses(Tensor queries, ScoredHead head) {
    return queries.matmul(head.tail().keys().transpose(0, 1)).softmax(-1);
  }
}
