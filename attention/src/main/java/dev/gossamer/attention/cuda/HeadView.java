package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.Tensor;

/**
 * How kernels see {@code [batch, heads, tokens, headDim]}: rows of contiguous columns, each aligned
 * to 16 bytes, whatever lies between them. Asked of the tensor once, as each question is a call.
 *
 * @param address of the first element
 * @param batchStride elements from one to the next, likewise the others
 * @param perBatch heads of a batch
 */
public record HeadView(
    long address,
    long batchStride,
    long headStride,
    long tokenStride,
    int batches,
    int perBatch,
    int tokens) {
  private static final int ALIGNMENT = 8;

  /** A view if the tensor's layout allows, else of a copy in the current scope. */
  public static HeadView of(Tensor tensor) {
    boolean fits = tensor.stride(-1) == 1;
    for (int dim = 0; dim < 3; dim++) {
      fits &= tensor.stride(dim) % ALIGNMENT == 0 || tensor.size(dim) == 1;
    }
    return fits && tensor.firstAddress() % (2 * ALIGNMENT) == 0
        ? seen(tensor)
        : seen(tensor.copy().contiguous());
  }

  /** The view of a tensor that kernels write. */
  static HeadView seen(Tensor tensor) {
    return new HeadView(
        tensor.firstAddress(),
        stride(tensor, 0),
        stride(tensor, 1),
        tensor.stride(2),
        (int) tensor.size(0),
        (int) tensor.size(1),
        (int) tensor.size(2));
  }

  private static long stride(Tensor tensor, int dim) {
    return tensor.size(dim) == 1 ? 0 : tensor.stride(dim);
  }

  /** Heads of all batches. */
  public int heads() {
    return batches * perBatch;
  }

  /** Address, strides of batch, head and token: as every kernel takes them. */
  Object[] arguments() {
    return new Object[] {address, batchStride, headStride, tokenStride};
  }

  /** The same from a token on. */
  public HeadView from(long token, int count) {
    return new HeadView(
        address + token * tokenStride * Short.BYTES,
        batchStride,
        headStride,
        tokenStride,
        batches,
        perBatch,
        count);
  }
}
