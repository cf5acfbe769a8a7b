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
 * One head after clustering: what the scorers look at.
 *
 * @param operands queries, keys and values, sorted
 * @param groups ranges of sorted queries
 * @param keyLayout clusters of sorted keys
 * @param statistics of each key cluster
 * @param tail each key cluster as one point
 * @param coarse attention of all queries to these points, if the tail needs it anyway
 */
public record ScoredHead(
    Operands operands,
    QueryGroups groups,
    ClusterLayout keyLayout,
    KeyStatistics statistics,
    ClusterTail tail,
    Optional<CoarseAttention> coarse) {

  /** Scaled queries without their bias column, float32 {@code [tokens, headDim]}, sorted. */
  Tensor scaledQueries() {
    return operands.queries().narrow(1, 0, operands.headDim()).to(DType.FLOAT32);
  }

  /** Mean of the rows of each group, float32 {@code [groups, columns]}. */
  Tensor groupMeans(Tensor sortedRows) {
    try (Scope scope = Scope.open()) {
      Tensor sums =
          Tensor.zeros(DType.FLOAT32, groups.count(), sortedRows.size(1))
              .indexAdd(0, groups.ofPositions(), sortedRows);
      return scope.keep(sums.div(groups.sizes()));
    }
  }

  /** Mean direction of each group's queries, float32 {@code [groups, headDim]}. */
  Tensor groupDirections() {
    try (Scope scope = Scope.open()) {
      Tensor queries = scaledQueries();
      Tensor lengths = queries.norm(1, true).clamp(1e-6, Double.POSITIVE_INFINITY);
      return scope.keep(groupMeans(queries.div(lengths)));
    }
  }
}
