package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.ClusterTail;
import dev.gossamer.attention.clusters.CoarseAttention;
import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.attention.clusters.Operands;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * A head as libtorch's operations leave it.
 *
 * @param operands queries, keys and values, sorted
 * @param groups ranges of sorted queries
 * @param keyLayout clusters of sorted keys
 * @param statistics of each key cluster
 * @param tail each key cluster as one point
 * @param coarse attention of all queries to these points, if the tail needs it anyway
 */
record SortedHead(
    Operands operands,
    QueryGroups groups,
    ClusterLayout keyLayout,
    KeyStatistics statistics,
    ClusterTail tail,
    Optional<CoarseAttention> coarse)
    implements ScoredHead {

  @Override
  public Tensor extremes() {
    return KeyStatistics.extremes(operands, keyLayout);
  }

  /** Scaled queries without their bias column, float32 {@code [tokens, headDim]}, sorted. */
  private Tensor scaledQueries() {
    return operands.queries().narrow(1, 0, operands.headDim()).to(DType.FLOAT32);
  }

  @Override
  public Tensor groupQueries() {
    try (Scope scope = Scope.open()) {
      return scope.keep(groupMeans(scaledQueries()));
    }
  }

  @Override
  public Tensor groupSquares() {
    try (Scope scope = Scope.open()) {
      return scope.keep(groupMeans(scaledQueries().square()));
    }
  }

  @Override
  public Tensor groupDirections() {
    try (Scope scope = Scope.open()) {
      Tensor queries = scaledQueries();
      Tensor lengths = queries.norm(1, true).clamp(1e-6, Double.POSITIVE_INFINITY);
      return scope.keep(groupMeans(queries.div(lengths)));
    }
  }

  /** Mean of the rows of each group, float32 {@code [groups, columns]}. */
  private Tensor groupMeans(Tensor sortedRows) {
    try (Scope scope = Scope.open()) {
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, groups.count(), sortedRows.size(1))
              .indexAdd(0, groups.ofPositions(), sortedRows);
      return scope.keep(sums.div(groups.sizes()));
    }
  }

  @Override
  public Tensor mass(int samples) {
    Optional<Tensor> known = coarse.flatMap(CoarseAttention::weights);
    if (known.isPresent()) {
      return groupMeans(known.get());
    }
    try (Scope scope = Scope.open()) {
      int stride = QueryMass.stride((int) operands.queries().size(0), groups, samples);
      if (stride == 1) {
        return scope.keep(groupMeans(masses(operands.queries())));
      }
      QueryGroups.Samples sample = groups.samples(stride);
      Tensor mass = masses(operands.queries().indexSelect(0, sample.positions()));
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, groups.count(), mass.size(1))
              .indexAdd(0, sample.groups(), mass);
      return scope.keep(sums.div(sample.perGroup()));
    }
  }

  private Tensor masses(Tensor queries) {
    return queries.matmul(tail.keys().transpose(0, 1)).softmax(-1).to(DType.FLOAT32);
  }
}
