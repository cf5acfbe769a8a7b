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
  private ClusterTail shownTail;
  private Batch shownBatch;

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
    shownTail = null;
    shownBatch = null;
    if (flat != null) {
      flat.queries().close();
      flat.keys().close();
      flat.values().close();
      flat.scores().close();
      flat.outputs().close();
    }
  }

  /** Whether the slots of a batch do not hold this tail already; afterwards they are taken to. */
  boolean tailIsStale(ClusterTail tail, Batch batch) {
    boolean stale = shownTail != tail || shownBatch != batch;
    shownTail = tail;
    shownBatch = batch;
    return stale;
  }

  /** A call ended: whatever tail the slots hold must not be taken for another's. */
  public void endCall() {
    shownTail = null;
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
    private final ByteBuffer outputBytes;
    private final int[][] hidden;
    private final int[] hiddenCount;

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
      this.outputBytes = flat.outputs().memory();
      this.hidden = new int[tiles][16];
      this.hiddenCount = new int[tiles];
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

    void copyTail(int slot, ClusterTail tail) {
      int clusters = tail.clusters();
      keyBytes.put(slot * keys * width * bytes, tail.keyBytes(), 0, clusters * width * bytes);
      valueBytes.put(
          slot * keys * headDim * bytes, tail.valueBytes(), 0, clusters * headDim * bytes);
      hiddenCount[slot] = 0;
    }

    /** Undoes what the tile before hid in this slot. */
    void showTail(int slot, ClusterTail tail) {
      if (hiddenCount[slot] == 0) {
        return;
      }
      ByteBuffer source = tail.keyBytes();
      for (int i = 0; i < hiddenCount[slot]; i++) {
        int cluster = hidden[slot][i];
        int place = biasPlace(slot, cluster);
        keyBytes.put(place, source, (cluster * width + headDim) * bytes, bytes);
      }
      hiddenCount[slot] = 0;
    }

    /** Takes a selected cluster's point out of the softmax: its keys are there themselves. */
    void hidePoint(int slot, int cluster) {
      unsee(biasPlace(slot, cluster));
      if (hiddenCount[slot] == hidden[slot].length) {
        hidden[slot] = java.util.Arrays.copyOf(hidden[slot], 2 * hidden[slot].length);
      }
      hidden[slot][hiddenCount[slot]++] = cluster;
    }

    private int biasPlace(int slot, int row) {
      return ((slot * keys + row) * width + headDim) * bytes;
    }

    private void unsee(int place) {
      int bits = Float.floatToRawIntBits((float) Operands.UNSEEN);
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
        int keyPlace = (slot * keys + row) * width * bytes;
        for (int at = 0; at < width * bytes; at += Long.BYTES) {
          keyBytes.putLong(keyPlace + at, 0);
        }
        unsee(biasPlace(slot, row));
        int valuePlace = (slot * keys + row) * headDim * bytes;
        for (int at = 0; at < headDim * bytes; at += Short.BYTES) {
          valueBytes.putShort(valuePlace + at, (short) 0);
        }
      }
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
