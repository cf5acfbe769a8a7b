package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Tensor;

/** Says how much each query group wants each key cluster. */
public sealed interface ClusterScorer
    permits TensorQuest, CentroidMass, PseudoQuest, QueryMass, ExpectedError {
  /**
   * @return float32 {@code [groups, clusters]}, higher is wanted more; values for empty clusters
   *     are ignored. Only the order within a row counts.
   */
  Tensor score(ScoredHead head);

  /** The name in settings, for example {@code expectedError}. */
  String name();
}
