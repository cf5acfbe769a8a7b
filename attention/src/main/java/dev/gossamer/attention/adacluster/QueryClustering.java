package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.attention.kmeans.Lloyd;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * Queries by direction (AdaCluster 1.2): only the ranking of a query's scores matters, and it does
 * not depend on the query's length, so few clusters of directions suffice.
 */
final class QueryClustering {
  private QueryClustering() {}

  /**
   * @param queries of one head
   * @param tokens how many there are
   * @param previous centroids of the step before, float32 {@code [clusters, headDim]}; empty at the
   *     first sparse step
   * @param shift moves the seeds of a first clustering
   */
  static KMeans.Clustering run(
      Lloyd queries,
      int tokens,
      Optional<Tensor> previous,
      AdaClusterSettings settings,
      long shift) {
    return previous
        .map(centroids -> queries.lloyd(centroids, settings.iterationsStep()))
        .orElseGet(
            () ->
                queries.lloyd(
                    queries.seeds(settings.queryClustersFor(tokens), shift),
                    settings.iterationsFirst()));
  }
}
