package dev.gossamer.attention.kmeans;

import dev.gossamer.tensor.Tensor;

/**
 * Lloyd's iterations over the tokens of one head: {@link KMeans} by libtorch, {@link VectorKMeans}
 * by vectors of the processor. Both start and mend alike; they round differently.
 */
public interface Lloyd {
  /**
   * Starting centroids: tokens spread over the sequence.
   *
   * @param shift moves all of them, so that layers and heads start differently
   * @return float32 {@code [clusters, headDim]}
   */
  Tensor seeds(int clusters, long shift);

  /**
   * Runs Lloyd's iterations.
   *
   * @param centroids float32 {@code [clusters, headDim]} to start from
   * @return the labels of the last assignment and the centroids that follow from them; the labels
   *     used are thus one update older than the centroids, as in every later step
   */
  KMeans.Clustering lloyd(Tensor centroids, int iterations);
}
