package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.kmeans.Lloyd;
import dev.gossamer.tensor.Tensor;

/**
 * The arithmetic of one head at one step, in the order of its methods: {@link LibtorchExecution} on
 * any device, {@link VectorExecution} on processors. Tensors belong to the current scope.
 */
interface HeadExecution {
  /**
   * Mean of the clustered keys, float32 {@code [1, headDim]}; every key is less it from here on.
   */
  Tensor keyMean();

  /** The clustered tokens' queries. */
  Lloyd queryPoints();

  /** The clustered tokens' keys, less {@link #keyMean}. */
  Lloyd keyPoints();

  /**
   * Sorts the head by cluster.
   *
   * @param tail whether unselected clusters will count as points
   * @return what the scorers look at
   */
  ScoredHead sort(ClusterLayout queries, ClusterLayout keys, QueryGroups groups, boolean tail);

  /**
   * Attends.
   *
   * @param output {@code [tokens, headDim]} in the tokens' own order, written
   */
  void attend(KeySelection selection, Tensor output);

  /** Recall of attention mass by a selection, from {@code rows} evenly spaced queries. */
  double recall(KeySelection selection, int rows);
}
