package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;

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
    return head.mass(samples);
  }

  /** Every how many-th query speaks, if so many shall for each of the groups. */
  static int stride(int tokens, QueryGroups groups, int samples) {
    return (int) Math.max(1, tokens / ((long) groups.count() * samples));
  }
}
