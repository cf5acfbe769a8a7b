package dev.gossamer.bench.moe;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;

/** What the same threads reach at their best: a large matrix product each. */
final class PlainProduct implements AutoCloseable {
  private static final int SIZE = 1024;

  private final Threads threads;
  private final Scope owner = Scope.detached();
  private final Tensor left;
  private final Tensor right;

  PlainProduct(Threads threads) {
    this.threads = threads;
    try (Scope scope = Scope.open()) {
      this.left = owner.adopt(Tensor.full(0.5, DType.FLOAT32, SIZE, SIZE));
      this.right = owner.adopt(Tensor.full(0.25, DType.FLOAT32, SIZE, SIZE));
    }
  }

  void multiply() {
    threads.forEach(threads.count(), thread -> left.matmul(right));
  }

  /** Operations of one call. */
  double flops() {
    return 2.0 * SIZE * SIZE * SIZE * threads.count();
  }

  @Override
  public void close() {
    owner.close();
  }
}
