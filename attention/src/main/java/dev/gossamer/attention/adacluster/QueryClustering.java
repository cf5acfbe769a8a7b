package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * Queries by direction (AdaCluster 1.2): only the ranking of a query's scores matters, and it does
 * not depend on the query's length, so few clusters of directions suffice.
 */
final class QueryClustering {
  private QueryClustering() {}

  /**
   * @param queries {@code [tokens, width]} of one head, contiguous, in the type of the products
   * @param headDim columns that are the query
   * @param previous centroids of the step before, float32 {@code [clusters, headDim]}; empty at the
   *     first sparse step
   * @param shift moves the seeds of a first clustering
   */
  static KMeans.Clustering run(
      Tensor queries,
      int headDim,
      Optional<Tensor> previous,
      AdaClusterSettings settings,
      long shift) {
    KMeans kmeans = new KMeans(queries, headDim, settings.queryPartition().metric());
    int clusters = settings.queryClustersFor((int) queries.size(0));
    return previous
        .map(centroids -> kmeans.lloyd(centroids, settings.iterationsStep()))
        .orElseGet(() -> kmeans.lloyd(kmeans.seeds(clusters, shift), settings.iterationsFirst()));
  }
}
