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
 */
public record Parameter(String name, Tensor value, Tensor gradient, boolean ofExperts) {
  /** A parameter whose tensors belong to a scope. */
  static Parameter of(String name, Tensor value, boolean ofExperts, Scope owner) {
    return new Parameter(
        name,
        owner.adopt(value),
        owner.adopt(Tensor.zeros(value.dtype(), value.shape())),
        ofExperts);
  }

  /** Forgets the gradients. */
  public void clearGradient() {
    gradient.fill(0);
  }

  void add(Tensor part) {
    gradient.addInPlace(part);
  }
}
