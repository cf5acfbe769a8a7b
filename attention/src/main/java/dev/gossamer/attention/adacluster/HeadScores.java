package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.cuda.HeadGroups;
import dev.gossamer.attention.cuda.HeadLayouts;
import dev.gossamer.attention.cuda.HeadStatistics;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * The scorers for several heads at once on a device. Where queries speak for their group, all of
 * them do: on a card that is one product more, and a sample would be no cheaper.
 *
 * @param queries {@code [heads, tokens, headDim]}, sorted, scaled
 * @param keys {@code [heads, tokens, headDim]}, sorted
 */
record HeadScores(
    Tensor queries, Tensor keys, HeadLayouts keyLayouts, HeadGroups groups, HeadStatistics points) {
  private static final double SHORTEST = 1e-6;

  /**
   * @return float32 {@code [heads, groups, clusters]}, in the current scope
   */
  Tensor of(ClusterScorer scorer) {
    try (Scope scope = Scope.open()) {
      if (scorer instanceof ExpectedError) {
        return scope.keep(expectedError());
      }
      if (scorer instanceof QueryMass) {
        return scope.keep(mass());
      }
      if (scorer instanceof CentroidMass) {
        Tensor means = groups.means(queries.to(DType.FLOAT32));
        return scope.keep(
            means
                .matmul(points.means().transpose(1, 2))
                .add(points.logSizes().unsqueeze(1))
                .softmax(2));
      }
      Tensor directions = directions();
      if (scorer instanceof TensorQuest) {
        HeadStatistics.Extremes extremes = HeadStatistics.extremes(keys, keyLayouts);
        return scope.keep(upperBound(directions, extremes.largest(), extremes.smallest()));
      }
      Tensor means = points.means(); // PseudoQuest
      return scope.keep(
          upperBound(
              directions,
              means.clamp(0, Double.POSITIVE_INFINITY),
              means.clamp(Double.NEGATIVE_INFINITY, 0)));
    }
  }

  /** Mean share of attention that a group's queries give to each cluster. */
  Tensor mass() {
    try (Scope scope = Scope.open()) {
      return scope.keep(groups.means(points.shares(queries)));
    }
  }

  /** See {@link ExpectedError}. */
  Tensor expectedError() {
    try (Scope scope = Scope.open()) {
      Tensor squares = groups.means(queries.to(DType.FLOAT32).square());
      Tensor variance = squares.matmul(points.variances().transpose(1, 2));
      Tensor sizes = points.sizes().clamp(1, Double.POSITIVE_INFINITY).unsqueeze(1);
      return scope.keep(mass().mul(variance).div(sizes));
    }
  }

  private Tensor directions() {
    Tensor exact = queries.to(DType.FLOAT32);
    return groups.means(exact.div(exact.norm(2, true).clamp(SHORTEST, Double.POSITIVE_INFINITY)));
  }

  private static Tensor upperBound(Tensor queries, Tensor largest, Tensor smallest) {
    Tensor positive = queries.clamp(0, Double.POSITIVE_INFINITY);
    Tensor negative = queries.clamp(Double.NEGATIVE_INFINITY, 0);
    return positive.matmul(largest.transpose(1, 2)).add(negative.matmul(smallest.transpose(1, 2)));
  }
}
