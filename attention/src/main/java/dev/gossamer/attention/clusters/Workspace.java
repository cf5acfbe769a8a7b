package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * Scratch memory of {@link VariableBlockAttention}, kept between calls so that no call pays for
 * fresh pages. Used by one thread at a time.
 */
public final class Workspace implements AutoCloseable {
  private final Scope owner = Scope.detached();
  private final Map<Shape, Batch> batches = new HashMap<>();
  private Flat flat;

  private record Shape(int tiles, int rows, int keys) {}

  /** The memory itself, carved up differently by every shape. */
  private record Flat(
      DType dtype,
      int headDim,
      int width,
      Tensor queries,
      Tensor keys,
      Tensor values,
      Tensor scores,
      Tensor outputs) {
    boolean holds(Shape shape) {
      long tileRows = (long) shape.tiles * shape.rows;
      long tileKeys = (long) shape.tiles * shape.keys;
      return tileRows * width <= queries.count()
          && tileKeys * width <= keys.count()
          && tileRows * shape.keys <= scores.count();
    }
  }

  /**
   * Memory for a batch of equally padded tiles.
   *
   * @param like a tensor of the type and width of the operands
   */
  Batch batch(int tiles, int rows, int keys, int headDim, Tensor like) {
    Shape shape = new Shape(tiles, rows, keys);
    if (flat == null
        || flat.headDim() != headDim
        || flat.dtype() != like.dtype()
        || !flat.holds(shape)) {
      allocate(shape, headDim, (int) like.size(1), like.dtype());
    }
    Batch batch = batches.get(shape);
    if (batch == null) {
      batch = new Batch(flat, shape);
      batches.put(shape, batch);
    }
    return batch;
  }

  private void allocate(Shape shape, int headDim, int width, DType dtype) {
    long rows = (long) shape.tiles * shape.rows;
    long keys = (long) shape.tiles * shape.keys;
    long scores = rows * shape.keys;
    if (flat != null && flat.headDim() == headDim && flat.dtype() == dtype) {
      rows = Math.max(rows, flat.queries().count() / width);
      keys = Math.max(keys, flat.keys().count() / width);
      scores = Math.max(scores, flat.scores().count());
    }
    forget();
    try (Scope scope = Scope.open()) {
      flat =
          new Flat(
              dtype,
              headDim,
              width,
              owner.adopt(Tensor.zeros(dtype, rows * width)),
              owner.adopt(Tensor.zeros(dtype, keys * width)),
              owner.adopt(Tensor.zeros(dtype, keys * headDim)),
              owner.adopt(Tensor.zeros(dtype, scores)),
              owner.adopt(Tensor.zeros(dtype, rows * headDim)));
    }
  }

  private void forget() {
    batches.values().forEach(Batch::close);
    batches.clear();
    if (flat != null) {
      flat.queries().close();
      flat.keys().close();
      flat.values().close();
      flat.scores().close();
      flat.outputs().close();
    }
  }

  @Override
  public void close() {
    forget();
    owner.close();
  }

  /** One carving of the memory: views for the products, buffers for the copies. */
  static final class Batch {
    private final int rows;
    private final int keys;
    private final int width;
    private final int headDim;
    private final int bytes;
    private final boolean half;
    private final Scope views = Scope.detached();
    private final Tensor queryView;
    private final Tensor keysTransposed;
    private final Tensor valueView;
    private final Tensor scoreView;
    private final Tensor outputView;
    private final ByteBuffer queryBytes;
    private final ByteBuffer keyBytes;
    private final ByteBuffer valueBytes;
    private final ByteBuffer scoreBytes;
    private final ByteBuffer outputBytes;

    private Batch(Flat flat, Shape shape) {
      this.rows = shape.rows;
      this.keys = shape.keys;
      this.width = flat.width();
      this.headDim = flat.headDim();
      this.bytes = flat.dtype().bytes();
      this.half = flat.dtype() == DType.BFLOAT16;
      int tiles = shape.tiles;
      try (Scope scope = Scope.open()) {
        queryView = view(flat.queries(), tiles, rows, width);
        keysTransposed = views.adopt(view(flat.keys(), tiles, keys, width).transpose(1, 2));
        valueView = view(flat.values(), tiles, keys, headDim);
        scoreView = view(flat.scores(), tiles, rows, keys);
        outputView = view(flat.outputs(), tiles, rows, headDim);
      }
      this.queryBytes = flat.queries().memory();
      this.keyBytes = flat.keys().memory();
      this.valueBytes = flat.values().memory();
      this.scoreBytes = flat.scores().memory();
      this.outputBytes = flat.outputs().memory();
    }

    private Tensor view(Tensor memory, long a, long b, long c) {
      return views.adopt(memory.narrow(0, 0, a * b * c).reshape(a, b, c));
    }

    private void close() {
      views.close();
    }

    void copyQueries(int slot, ByteBuffer from, int row, int count) {
      int rowBytes = width * bytes;
      queryBytes.put(slot * rows * rowBytes, from, row * rowBytes, count * rowBytes);
    }

    private int biasPlace(int slot, int row) {
      return ((slot * keys + row) * width + Operands.biasColumn(headDim)) * bytes;
    }

    private void unsee(int place) {
      write(place, (float) Operands.UNSEEN);
    }

    private void write(int place, float number) {
      int bits = Float.floatToRawIntBits(number);
      if (half) {
        keyBytes.putShort(place, (short) (bits >>> 16));
      } else {
        keyBytes.putInt(place, bits);
      }
    }

    void copyKeys(int slot, int to, ByteBuffer keyRows, ByteBuffer valueRows, int from, int count) {
      int keyRow = width * bytes;
      int valueRow = headDim * bytes;
      int place = slot * keys + to;
      keyBytes.put(place * keyRow, keyRows, from * keyRow, count * keyRow);
      valueBytes.put(place * valueRow, valueRows, from * valueRow, count * valueRow);
    }

    /** Empties the rows behind the last key: zeros, since even an unseen NaN would spread. */
    void padKeys(int slot, int from) {
      for (int row = from; row < keys; row++) {
        clearKey(slot, row);
        unsee(biasPlace(slot, row));
      }
    }

    /** Makes the first key that whose logit every query carries with it; its value is zero. */
    void tailKey(int slot) {
      clearKey(slot, 0);
      int place = (slot * keys * width + Operands.tailColumn(headDim)) * bytes;
      write(place, 1);
    }

    private void clearKey(int slot, int row) {
      int keyPlace = (slot * keys + row) * width * bytes;
      for (int at = 0; at < width * bytes; at += Long.BYTES) {
        keyBytes.putLong(keyPlace + at, 0);
      }
      int valuePlace = (slot * keys + row) * headDim * bytes;
      for (int at = 0; at < headDim * bytes; at += Short.BYTES) {
        valueBytes.putShort(valuePlace + at, (short) 0);
      }
    }

    /** The weight that a row gave to the first key, after {@link #multiply}. */
    float firstWeight(int slot, int row) {
      int place = (slot * rows + row) * keys * bytes;
      return half
          ? Float.intBitsToFloat(scoreBytes.getShort(place) << 16)
          : scoreBytes.getFloat(place);
    }

    /** output = softmax(queries keys^T) values, for all tiles at once. */
    void multiply() {
      Tensor.matmulInto(scoreView, queryView, keysTransposed);
      Tensor.softmaxInto(scoreView, scoreView, -1);
      Tensor.matmulInto(outputView, scoreView, valueView);
    }

    void copyOutput(int slot, ByteBuffer to, int row, int count) {
      int rowBytes = headDim * bytes;
      to.put(row * rowBytes, outputBytes, slot * rows * rowBytes, count * rowBytes);
    }
  }
}
