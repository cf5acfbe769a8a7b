package dev.gossamer.moe;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * A weight and the sum of its gradients since they were last cleared.
 *
 * @param name as in a checkpoint, for example {@code moe.gate}; a stack of experts has the name of
 *     one expert's tensor with {@code *} for its number
 * @param value written by the optimiser
 * @param gradient of the value's shape and type
 * @param ofExperts whether each expert-parallel rank holds experts of its own in it, so that its
 *     gradient is summed over the replicas of those experts only and not over all ranks
 * @param parts {@code [micro-batches, ..]} gradients of an elastic layer by micro-batch, as yet in
 *     no sum; null in ordinary layers. Those of experts are ordered by the rank whose tokens they
 *     come from, then by that rank's micro-batches
 */
public record Parameter(
    String name, Tensor value, Tensor gradient, boolean ofExperts, Tensor parts) {
  /**
   * A parameter whose tensors belong to a scope.
   *
   * @param microBatches whose gradients are kept apart; 0 for one sum
   */
  public static Parameter of(
      String name, Tensor value, boolean ofExperts, int microBatches, Scope owner) {
    return new Parameter(
        name,
        owner.adopt(value),
        owner.adopt(zeros(value, value.shape())),
        ofExperts,
        microBatches == 0 ? null : owner.adopt(stack(value, microBatches)));
  }

  private static Tensor stack(Tensor value, int count) {
    long[] shape = new long[value.dims() + 1];
    shape[0] = count;
    System.arraycopy(value.shape(), 0, shape, 1, value.dims());
    return zeros(value, shape);
  }

  /** On the device of the value and of its type. */
  private static Tensor zeros(Tensor value, long[] shape) {
    return Tensor.empty(value.dtype(), value.device(), shape).fill(0);
  }

  /** Forgets the gradients. */
  public void clearGradient() {
    gradient.fill(0);
    if (parts != null) {
      parts.fill(0);
    }
  }

  /** Where the gradient of a micro-batch adds up. */
  public Tensor gradientOf(int microBatch) {
    return parts == null ? gradient : parts.select(0, microBatch);
  }

  /** Adds to the gradient of a micro-batch. */
  public void add(Tensor part, int microBatch) {
    gradientOf(microBatch).addInPlace(part);
  }
}
