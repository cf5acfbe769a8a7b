package dev.gossamer.bench.moe;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;

/** What the same threads reach at their best: a large matrix product each. */
final class PlainProduct implements AutoCloseable {
  private static final int ON_PROCESSOR = 1024;
  private static final int ON_CARD = 8192;

  private final Threads threads;
  private final int size;
  private final Scope owner = Scope.detached();
  private final Tensor left;
  private final Tensor right;

  PlainProduct(Device device, Threads threads) {
    this.threads = threads;
    this.size = device.isCpu() ? ON_PROCESSOR : ON_CARD;
    try (Scope scope = Scope.open()) {
      this.left = owner.adopt(Tensor.empty(DType.FLOAT32, device, size, size).fill(0.5));
      this.right = owner.adopt(Tensor.empty(DType.FLOAT32, device, size, size).fill(0.25));
    }
  }

  void multiply() {
    threads.forEach(
        threads.count(),
        thread -> {
          Tensor product = left.matmul(right);
          if (!product.device().isCpu()) {
            product.narrow(0, 0, 1).narrow(1, 0, 1).item(); // is there when the card is done
          }
        });
  }

  /** Operations of one call. */
  double flops() {
    return 2.0 * size * size * size * threads.count();
  }

  @Override
  public void close() {
    owner.close();
  }
}
