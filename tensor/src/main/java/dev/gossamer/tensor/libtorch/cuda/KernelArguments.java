package dev.gossamer.tensor.libtorch.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;

/**
 * Arguments of one launch in the order of the kernel's parameters, each aligned as CUDA wants it.
 * To be used again for the next launch by the same thread: a launch copies them.
 */
public final class KernelArguments {
  /** A tensor map, which CUDA wants aligned so, is the widest. */
  private static final int ALIGNMENT = 64;

  private static final int MOST = 4096;

  private final ByteBuffer memory =
      ByteBuffer.allocateDirect(MOST + ALIGNMENT)
          .alignedSlice(ALIGNMENT)
          .order(ByteOrder.nativeOrder());
  private final long address;
  private final List<Integer> offsets = new ArrayList<>();

  public KernelArguments() {
    try (BytePointer start = new BytePointer(memory)) {
      this.address = start.address();
    }
  }

  /** Forgets all, for the next launch. */
  public KernelArguments clear() {
    memory.clear();
    offsets.clear();
    return this;
  }

  /** An address, of a tensor for example, or a 64-bit number. */
  public KernelArguments add(long value) {
    place(Long.BYTES, Long.BYTES).putLong(value);
    return this;
  }

  public KernelArguments add(int value) {
    place(Integer.BYTES, Integer.BYTES).putInt(value);
    return this;
  }

  public KernelArguments add(double value) {
    place(Double.BYTES, Double.BYTES).putDouble(value);
    return this;
  }

  public KernelArguments add(float value) {
    place(Float.BYTES, Float.BYTES).putFloat(value);
    return this;
  }

  /** A structure by value; its length says how it is aligned: up to 64 bytes. */
  public KernelArguments add(byte[] structure) {
    place(structure.length, Math.min(ALIGNMENT, Integer.highestOneBit(structure.length)))
        .put(structure);
    return this;
  }

  private ByteBuffer place(int bytes, int alignment) {
    int at = (memory.position() + alignment - 1) / alignment * alignment;
    if (at + bytes > MOST) {
      throw new IllegalArgumentException("A kernel takes no more than " + MOST + " bytes");
    }
    offsets.add(at);
    return memory.position(at);
  }

  int count() {
    return offsets.size();
  }

  int offset(int argument) {
    return offsets.get(argument);
  }

  /** Where position 0 lies. */
  long address() {
    return address;
  }

  /** The arguments from position 0 on; direct. */
  ByteBuffer memory() {
    return memory.duplicate().order(ByteOrder.nativeOrder()).clear();
  }
}
