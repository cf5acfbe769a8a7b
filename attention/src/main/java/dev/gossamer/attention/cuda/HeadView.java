package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.Tensor;

/**
 * How kernels see {@code [batch, heads, tokens, headDim]}: rows of contiguous columns, each aligned
 * to 16 bytes, whatever lies between them.
 */
record HeadView(Tensor tensor) {
  private static final int ALIGNMENT = 8;

  /** A view if its layout allows, else a copy in the current scope. */
  static HeadView of(Tensor tensor) {
    boolean fits = tensor.stride(-1) == 1;
    for (int dim = 0; dim < 3; dim++) {
      fits &= tensor.stride(dim) % ALIGNMENT == 0 || tensor.size(dim) == 1;
    }
    return new HeadView(
        fits && tensor.firstAddress() % (2 * ALIGNMENT) == 0 ? tensor : tensor.copy().contiguous());
  }

  int perBatch() {
    return (int) tensor.size(1);
  }

  int tokens() {
    return (int) tensor.size(2);
  }

  /** Address, strides of batch, head and token: as every kernel takes them. */
  Object[] arguments() {
    return new Object[] {
      tensor.firstAddress(), stride(0), stride(1), tensor.stride(2),
    };
  }

  private long stride(int dim) {
    return tensor.size(dim) == 1 ? 0 : tensor.stride(dim);
  }

  /** The same from a token on. */
  HeadView from(long token, long count) {
    return new HeadView(tensor.narrow(2, token, count));
  }
}
