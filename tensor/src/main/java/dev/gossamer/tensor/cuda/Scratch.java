package dev.gossamer.tensor.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * What kernels of one call hand to each other: parts of one tensor, as a tensor of its own for each
 * would cost the thread more than many a kernel costs the card. Everything belongs to the scope
 * that is open when it is made, and has undefined content.
 */
public final class Scratch {
  private static final int ALIGNMENT = 256;

  private final Device device;
  private Tensor memory; // INT32
  private long address;
  private long room; // bytes of the memory
  private long next; // of its bytes, the first that is free
  private long used;

  /**
   * @param bytes that are thought to be enough: what {@link #usedBytes} was for the like; more are
   *     fetched where they are not
   */
  public Scratch(Device device, long bytes) {
    this.device = device;
    if (bytes > 0) {
      fetch(bytes);
    }
  }

  private void fetch(long bytes) {
    memory = Tensor.empty(DType.INT32, device, (bytes + Integer.BYTES - 1) / Integer.BYTES);
    address = memory.address();
    room = bytes;
    next = 0;
  }

  /** Memory for contiguous elements. */
  public Part take(DType dtype, long... shape) {
    long count = 1;
    for (long size : shape) {
      count = Math.multiplyExact(count, size);
    }
    long bytes = (count * dtype.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (next + bytes > room) {
      fetch(bytes);
    }
    long offset = next;
    next += bytes;
    used += bytes;
    return new Part(memory, offset, address + offset, dtype, count, shape);
  }

  /** Bytes of all parts so far. */
  public long usedBytes() {
    return used;
  }

  /** A tensor's elements as a part, to be given to kernels like one. */
  public static Part of(Tensor tensor) {
    return new Part(tensor, 0, tensor.address(), tensor.dtype(), tensor.count(), tensor.shape());
  }

  /** Contiguous elements on a card, for {@link Kernels#launch}. */
  public static final class Part {
    private final Tensor memory;
    private final long offset;
    private final long address;
    private final DType dtype;
    private final long count;
    private final long[] shape;

    private Part(Tensor memory, long offset, long address, DType dtype, long count, long[] shape) {
      this.memory = memory;
      this.offset = offset;
      this.address = address;
      this.dtype = dtype;
      this.count = count;
      this.shape = shape;
    }

    long address() {
      return address;
    }

    /** Where an element lies, as a kernel takes it. */
    public long addressOf(long element) {
      return address + element * dtype.bytes();
    }

    /** Size of one dimension. */
    public long size(int dim) {
      return shape[dim];
    }

    /** The elements as a tensor; a view. */
    public Tensor tensor() {
      if (memory.dtype() == dtype && memory.count() == count) {
        return memory.reshape(shape);
      }
      long bytes = (count * dtype.bytes() + Integer.BYTES - 1) / Integer.BYTES * Integer.BYTES;
      return memory
          .narrow(0, offset / Integer.BYTES, bytes / Integer.BYTES)
          .reinterpret(dtype)
          .narrow(0, 0, count)
          .reshape(shape);
    }
  }
}
