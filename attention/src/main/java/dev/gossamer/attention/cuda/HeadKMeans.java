package dev.gossamer.attention.cuda;

import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * Lloyd's iterations over the tokens of all heads at once, by the same rules as {@link KMeans}: the
 * same seeds, ties to the lowest centroid, sums in token order, an empty cluster moves to a token
 * far from its centroid. Products are in float32. Tensors belong to the scope in which it is made.
 */
public final class HeadKMeans {
  private static final double SHORTEST = 1e-6;
  private static final double GOLDEN_RATIO = 0.6180339887498949;
  private static final double UNSEEN = -1e30;
  private static final long SCORES_AT_ONCE = 1L << 26;

  private final KMeans.Metric metric;
  private final Tensor points; // float32 [heads, tokens, headDim]; of length one for angles
  private final Optional<Tensor> active; // BOOL [heads, tokens]: tokens that count
  private final long heads;
  private final long tokens;

  /**
   * Clusters after the last assignment.
   *
   * @param centroids float32 {@code [heads, clusters, headDim]} that follow from the labels
   * @param labels INT64 {@code [heads, tokens]}
   * @param distances float32 {@code [heads, tokens]} from the centroid of the label: Euclidean, or
   *     1 - cosine
   */
  public record Clustering(Tensor centroids, Tensor labels, Tensor distances) {}

  /**
   * @param rows {@code [heads, tokens, headDim]}, any floating type
   */
  public HeadKMeans(Tensor rows, KMeans.Metric metric) {
    this(rows, metric, Optional.empty());
  }

  /**
   * @param active BOOL {@code [heads, tokens]}: the tokens that count; the others get labels too
   */
  public HeadKMeans(Tensor rows, KMeans.Metric metric, Optional<Tensor> active) {
    this.metric = metric;
    this.active = active;
    this.heads = rows.size(0);
    this.tokens = rows.size(1);
    Tensor exact = rows.to(DType.FLOAT32);
    this.points =
        metric == KMeans.Metric.ANGLE
            ? exact.div(exact.norm(2, true).clamp(SHORTEST, Double.POSITIVE_INFINITY))
            : exact.contiguous();
  }

  /**
   * Starting centroids: tokens spread over the sequence, or over those that count.
   *
   * @param shifts one for each head, so that heads start differently
   * @return float32 {@code [heads, clusters, headDim]}
   */
  public Tensor seeds(int clusters, long[] shifts) {
    double[] places = new double[(int) heads * clusters];
    for (int head = 0; head < heads; head++) {
      double start = (shifts[head] & 0xffffff) / (double) 0x1000000;
      for (int j = 0; j < clusters; j++) {
        double place = start + j * GOLDEN_RATIO;
        places[head * clusters + j] = place - Math.floor(place);
      }
    }
    try (Scope scope = Scope.open()) {
      Tensor shares = Tensor.of(places, heads, clusters).to(points.device());
      Tensor picks;
      if (active.isEmpty()) {
        picks = shares.mul(tokens).to(DType.INT64);
      } else {
        Tensor before = active.get().to(DType.INT64).cumsum(1);
        Tensor count = before.narrow(1, tokens - 1, 1).to(DType.FLOAT64);
        Tensor wanted = shares.mul(count).to(DType.INT64);
        picks = before.countBelow(wanted, true).clamp(0, tokens - 1).to(DType.INT64);
      }
      return scope.keep(HeadRows.pick(points, picks));
    }
  }

  /**
   * Runs Lloyd's iterations.
   *
   * @param centroids float32 {@code [heads, clusters, headDim]} to start from
   * @param real BOOL {@code [heads, clusters]}: those that exist; empty for all
   */
  public Clustering lloyd(Tensor centroids, Optional<Tensor> real, int iterations) {
    try (Scope scope = Scope.open()) {
      Tensor current = centroids;
      Clustering last = null;
      for (int i = 0; i < iterations; i++) {
        Tensor labels = Tensor.empty(DType.INT64, points.device(), heads, tokens);
        Tensor closeness = Tensor.empty(DType.FLOAT32, points.device(), heads, tokens);
        assign(current, real, labels, closeness);
        Tensor distances = distances(closeness);
        current = update(current, real, labels, distances);
        last = new Clustering(current, labels, distances);
      }
      scope.keep(last.centroids());
      scope.keep(last.labels());
      scope.keep(last.distances());
      return last;
    }
  }

  private void assign(Tensor centroids, Optional<Tensor> real, Tensor labels, Tensor closeness) {
    try (Scope scope = Scope.open()) {
      long clusters = centroids.size(1);
      Tensor across = centroids.transpose(1, 2);
      Tensor bias =
          metric == KMeans.Metric.ANGLE
              ? Tensor.zeros(DType.FLOAT32, points.device(), heads, 1, clusters)
              : centroids.square().sum(false, 2).mul(-0.5).unsqueeze(1);
      if (real.isPresent()) {
        bias = bias.maskedFill(real.get().logicalNot().unsqueeze(1), UNSEEN);
      }
      long step = Math.max(256, SCORES_AT_ONCE / (heads * clusters));
      for (long from = 0; from < tokens; from += step) {
        long rows = Math.min(step, tokens - from);
        try (Scope strip = Scope.open()) {
          Tensor scores = points.narrow(1, from, rows).matmul(across).add(bias);
          labels.narrow(1, from, rows).copyFrom(scores.argmax(2));
          closeness.narrow(1, from, rows).copyFrom(scores.amax(false, 2));
        }
      }
    }
  }

  private Tensor distances(Tensor closeness) {
    try (Scope scope = Scope.open()) {
      return scope.keep(
          metric == KMeans.Metric.ANGLE
              ? closeness.neg().add(1)
              : points
                  .square()
                  .sum(false, 2)
                  .sub(closeness.mul(2))
                  .clamp(0, Double.POSITIVE_INFINITY)
                  .sqrt());
    }
  }

  private Tensor update(Tensor centroids, Optional<Tensor> real, Tensor labels, Tensor distances) {
    try (Scope scope = Scope.open()) {
      long clusters = centroids.size(1);
      // Tokens that do not count go to a cluster behind all others.
      Tensor counted =
          active.isEmpty() ? labels : labels.maskedFill(active.get().logicalNot(), clusters);
      HeadLayouts layouts = HeadLayouts.of(counted, clusters + 1);
      Tensor sizes = layouts.sizes().narrow(1, 0, clusters).to(DType.FLOAT32);
      Tensor sums =
          HeadRows.sums(HeadRows.pick(points, layouts.order()), layouts.starts())
              .narrow(1, 0, clusters);
      Tensor moved;
      Tensor keeps;
      if (metric == KMeans.Metric.ANGLE) {
        Tensor length = sums.norm(2, true);
        keeps = length.gt(SHORTEST).logicalNot();
        moved = sums.div(length.clamp(SHORTEST, Double.POSITIVE_INFINITY));
      } else {
        keeps = sizes.eq(0).unsqueeze(2);
        moved = sums.div(sizes.clamp(1, Double.POSITIVE_INFINITY).unsqueeze(2));
      }
      moved = keeps.where(centroids, moved);
      return scope.keep(reseeded(moved, real, counted, distances, sizes));
    }
  }

  /** Empty clusters move to the farthest tokens of clusters of at least twice the mean size. */
  private Tensor reseeded(
      Tensor centroids, Optional<Tensor> real, Tensor labels, Tensor distances, Tensor sizes) {
    long clusters = centroids.size(1);
    long most = Math.min(clusters, tokens);
    Tensor empty = sizes.eq(0);
    if (real.isPresent()) {
      empty = empty.mul(real.get());
    }
    Tensor spare = sizes.mul(clusters).sub(2.0 * tokens).lt(0).logicalNot();
    Tensor ofToken =
        Tensor.cat(1, spare, spare.narrow(1, 0, 1).mul(0).to(DType.BOOL)).gather(1, labels);
    Tensor far = distances.maskedFill(ofToken.logicalNot(), -1);
    Tensor order = far.argsort(1, true).narrow(1, 0, most);
    Tensor rank = empty.to(DType.INT64).cumsum(1).sub(1).clamp(0, most - 1).to(DType.INT64);
    Tensor enough = empty.to(DType.INT64).cumsum(1).gt(most).logicalNot();
    Tensor picks = order.gather(1, rank);
    Tensor moves = empty.mul(enough).mul(far.gather(1, picks).gt(0)).unsqueeze(2);
    return moves.where(HeadRows.pick(points, picks), centroids);
  }
}
