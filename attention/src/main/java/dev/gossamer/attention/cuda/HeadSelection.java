package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * Takes, for each group of queries, the key clusters of highest score as far as a limit goes, all
 * on the device. Ties go to the lower cluster, a NaN ranks first, empty clusters are never taken
 * and at least one other always is.
 *
 * @param scores float32 {@code [heads, groups, clusters]}
 * @param sizes float32 {@code [heads, clusters]}: keys of each cluster
 * @param always BOOL {@code [clusters]}: taken by every group on top of its choice
 * @param everything BOOL {@code [heads, groups]}: groups that take all clusters
 */
public record HeadSelection(Tensor scores, Tensor sizes, Tensor always, Tensor everything) {
  /**
   * How far down its ranking a group goes; whichever is set ends it first.
   *
   * @param keys stop when so many keys are taken
   * @param clusters stop when so many clusters are taken
   * @param clusterShare stop when this share of the clusters that may be taken is
   * @param mass stop when this much of {@link #masses} is taken, but not before {@code
   *     clusterShare}
   * @param masses float32 {@code [heads, groups, clusters]}
   * @param error stop when no more than this of {@link #errors} is left
   * @param errors float32 {@code [heads, groups, clusters]}, per key
   */
  public record Limit(
      Optional<Double> keys,
      Optional<Integer> clusters,
      Optional<Double> clusterShare,
      Optional<Double> mass,
      Optional<Tensor> masses,
      Optional<Double> error,
      Optional<Tensor> errors) {}

  /**
   * @return BOOL {@code [heads, groups, clusters]}, in the current scope
   */
  public Tensor select(Limit limit) {
    try (Scope scope = Scope.open()) {
      Device device = scores.device();
      long clusters = scores.size(2);
      Tensor there = sizes.gt(0); // [heads, clusters]
      Tensor candidate = there.mul(always.logicalNot().unsqueeze(0));
      Tensor wanted =
          scores.maskedFill(candidate.logicalNot().unsqueeze(1), Double.NEGATIVE_INFINITY);
      Tensor order = wanted.argsort(2, true);
      Tensor rank = Tensor.arange(clusters, DType.FLOAT32, device).reshape(1, 1, clusters);
      Tensor candidates = candidate.to(DType.FLOAT32).sum(true, 1).unsqueeze(2); // [heads, 1, 1]
      Tensor goesOn = candidate.unsqueeze(1).expand(scores.shape()).gather(2, order);
      if (limit.keys().isPresent()) {
        goesOn = goesOn.mul(before(sizes.unsqueeze(1), order).lt(limit.keys().get()));
      }
      if (limit.clusters().isPresent()) {
        goesOn = goesOn.mul(rank.lt(limit.clusters().get()));
      }
      if (limit.mass().isPresent()) {
        Tensor few = rank.sub(candidates.mul(limit.clusterShare().orElse(0.0)).round()).lt(0);
        Tensor light = before(limit.masses().orElseThrow(), order).lt(limit.mass().get());
        goesOn = goesOn.mul(either(few, light));
      } else if (limit.clusterShare().isPresent()) {
        Tensor most = candidates.mul(limit.clusterShare().get()).round();
        goesOn = goesOn.mul(rank.sub(most.clamp(1, Double.POSITIVE_INFINITY)).lt(0));
      }
      if (limit.error().isPresent()) {
        Tensor errors =
            limit
                .errors()
                .orElseThrow()
                .mul(sizes.unsqueeze(1))
                .mul(candidate.to(DType.FLOAT32).unsqueeze(1));
        Tensor taken = before(errors, order);
        Tensor left = errors.sum(true, 2).sub(taken);
        // Not "left > error": a NaN is no reason to stop.
        Tensor small = left.sub(limit.error().get()).gt(0).logicalNot().mul(left.eq(left));
        goesOn = goesOn.mul(either(small.logicalNot(), rank.eq(0)));
      }
      Tensor mask = Tensor.zeros(DType.BOOL, device, scores.shape()).scatter(2, order, goesOn);
      Tensor all = there.unsqueeze(1);
      mask = either(mask, all.mul(always.unsqueeze(0).unsqueeze(0)));
      return scope.keep(either(mask, all.mul(everything.unsqueeze(2))));
    }
  }

  /** What all that rank before each hold together. */
  private static Tensor before(Tensor amounts, Tensor order) {
    Tensor ranked = amounts.expand(order.shape()).gather(2, order);
    return ranked.cumsum(2).sub(ranked);
  }

  /** BOOL or, with broadcasting. */
  private static Tensor either(Tensor a, Tensor b) {
    return a.logicalNot().mul(b.logicalNot()).logicalNot();
  }
}
