package dev.gossamer.attention;

import dev.gossamer.attention.vector.VectorApi;
import dev.gossamer.attention.vector.VectorKernels;
import dev.gossamer.attention.vector.VectorMemory;
import dev.gossamer.attention.vector.VectorTile;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Exact attention of one head on the processor's vectors, in float32: tile by tile. */
final class VectorDense {
  // As many as threads have ever worked at once; a head of 16,384 tokens takes 16 MB.
  private static final Queue<VectorMemory> MEMORIES = new ConcurrentLinkedQueue<>();

  // Loops on vectors are very slow until Java has compiled them, which a short sequence never pays.
  private static final int FEWEST = 1024;

  private VectorDense() {}

  /**
   * Whether it serves tensors like these, and faster than libtorch: with 16 registers its own
   * attention is.
   */
  static boolean serves(Tensor query, Tensor key) {
    return query.dtype() != DType.FLOAT64
        && key.size(2) >= FEWEST
        && VectorApi.available()
        && VectorKernels.REGISTERS > 16
        && VectorTile.fits(Math.max(query.size(2), key.size(2)), query.size(3));
  }

  /**
   * @param query {@code [tokens, headDim]}
   * @param key {@code [keys, headDim]}, likewise value
   * @param out {@code [tokens, headDim]}, written
   */
  static void attend(Tensor query, Tensor key, Tensor value, double scale, Tensor out) {
    VectorMemory memory = MEMORIES.poll();
    if (memory == null) {
      memory = new VectorMemory();
    }
    try {
      attend(query, key, value, scale, out, memory);
    } finally {
      MEMORIES.add(memory);
    }
  }

  private static void attend(
      Tensor query, Tensor key, Tensor value, double scale, Tensor out, VectorMemory memory) {
    int tokens = (int) query.size(0);
    int keys = (int) key.size(0);
    int headDim = (int) query.size(1);
    float[] queryRows = memory.read(query, VectorMemory.Use.QUERIES);
    float[] keyRows = memory.readPadded(key, VectorMemory.Use.KEYS);
    float[] valueRows = memory.readPadded(value, VectorMemory.Use.VALUES);
    float[] output = memory.floats(VectorMemory.Use.OUTPUT, tokens * headDim);
    int stride = VectorTile.stride(headDim);
    int[] rows = memory.rows(VectorTile.listLength(keys));
    for (int row = 0; row < VectorTile.listLength(keys); row++) {
      rows[row] = Math.min(row, keys - 1) * stride;
    }
    int[] order = new int[tokens];
    Arrays.setAll(order, token -> token);
    VectorTile tile = memory.tile(headDim);
    for (int from = 0; from < tokens; from += VectorTile.MOST_QUERIES) {
      int count = Math.min(VectorTile.MOST_QUERIES, tokens - from);
      tile.queries(queryRows, order, from, count, (float) scale);
      tile.attend(keyRows, valueRows, rows, keys);
      tile.write(output, order, from);
    }
    VectorMemory.write(output, out);
  }
}
