package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Runs of sorted queries of each head: clusters, or the fewest equal parts of them. How many a head
 * has is known to the card only, so there are as many as there can be; those behind are empty and
 * start at the end.
 *
 * @param offsets INT64 {@code [heads, groups + 1]}: first position of each run
 * @param owners INT64 {@code [heads, groups]}: the run that each is a part of
 * @param tokens of a head
 */
public record HeadGroups(Tensor offsets, Tensor owners, long tokens) {
  /** Each cluster, empty ones too. */
  public static HeadGroups clusters(HeadLayouts layouts) {
    Tensor every =
        Tensor.arange(layouts.clusters(), DType.INT64, layouts.order().device())
            .expand(layouts.heads(), layouts.clusters());
    return new HeadGroups(layouts.offsets(), every, layouts.tokens());
  }

  /** Each run in the fewest equal parts of at most {@code most} queries. */
  public HeadGroups cuts(long most) {
    try (Scope scope = Scope.open()) {
      long runs = count();
      long heads = offsets.size(0);
      Tensor starts = offsets.narrow(1, 0, runs);
      Tensor sizes = offsets.narrow(1, 1, runs).sub(starts);
      Tensor parts = quotient(sizes.add(most - 1), most);
      Tensor ends = parts.cumsum(1);
      long bound = Math.min(tokens, runs + tokens / most);
      Tensor numbers =
          Tensor.arange(bound, DType.INT64, offsets.device()).expand(heads, bound).contiguous();
      Tensor owner = ends.countBelow(numbers, true).clamp(0, runs - 1).to(DType.INT64);
      Tensor ofOwner = parts.gather(1, owner);
      Tensor part = numbers.sub(ends.gather(1, owner).sub(ofOwner));
      Tensor from =
          quotient(sizes.gather(1, owner).mul(part), ofOwner.maximum(one(ofOwner)))
              .add(starts.gather(1, owner));
      Tensor there = part.sub(ofOwner).lt(0);
      Tensor cut = there.where(from, full(from, tokens));
      return new HeadGroups(
          scope.keep(Tensor.cat(1, cut, full(cut.narrow(1, 0, 1), tokens))),
          scope.keep(owner),
          tokens);
    }
  }

  private static Tensor one(Tensor like) {
    return full(like.narrow(1, 0, 1), 1);
  }

  private static Tensor full(Tensor like, long value) {
    return Tensor.full(value, DType.INT64, like.device(), like.shape());
  }

  private static Tensor quotient(Tensor numbers, long by) {
    return numbers.to(DType.FLOAT64).div(by).to(DType.INT64);
  }

  private static Tensor quotient(Tensor numbers, Tensor by) {
    return numbers.to(DType.FLOAT64).div(by.to(DType.FLOAT64)).to(DType.INT64);
  }

  public long count() {
    return offsets.size(1) - 1;
  }

  /** INT64 {@code [heads, groups]}: first position of each run. */
  public Tensor starts() {
    return offsets.narrow(1, 0, count());
  }

  /** INT64 {@code [heads, groups]}: queries of each run. */
  public Tensor sizes() {
    return offsets.narrow(1, 1, count()).sub(starts());
  }

  /** Mean of the rows of each run, float32 {@code [heads, groups, columns]}; zero for no rows. */
  public Tensor means(Tensor sortedRows) {
    try (Scope scope = Scope.open()) {
      Tensor divisors = sizes().to(DType.FLOAT32).clamp(1, Double.POSITIVE_INFINITY).unsqueeze(2);
      return scope.keep(HeadRows.sums(sortedRows, starts()).div(divisors));
    }
  }
}
