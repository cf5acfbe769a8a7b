package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.tensor.Tensor;

/**
 * One head after clustering: what the scorers look at. Queries are scaled, keys less their mean;
 * all tensors float32, in the current scope.
 */
public interface ScoredHead {
  /** Of each key cluster. */
  KeyStatistics statistics();

  /**
   * Largest and smallest key of each cluster in every dimension: {@code [2, clusters, headDim]},
   * maxima, then minima; zero for an empty cluster.
   */
  Tensor extremes();

  /** Mean query of each group, {@code [groups, headDim]}. */
  Tensor groupQueries();

  /** Mean of the squares of each group's queries, {@code [groups, headDim]}. */
  Tensor groupSquares();

  /** Mean direction of each group's queries, {@code [groups, headDim]}. */
  Tensor groupDirections();

  /**
   * Mean over queries of each group of their softmax over clusters, each cluster one point: {@code
   * [groups, clusters]}.
   *
   * @param samples queries that speak for a group, on average; all do where the tail asks them
   *     anyway
   */
  Tensor mass(int samples);
}
