package dev.gossamer.attention.vector;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Arrays of a head or of a thread on the vector path, kept between calls: fresh ones of megabytes
 * would cost their zeros and the collector's time at every call. One user at a time.
 */
public final class VectorMemory {
  /** What arrays are for; each is as long as the longest wish so far. */
  public enum Use {
    QUERIES,
    KEYS,
    VALUES,
    SORTED_KEYS,
    SORTED_VALUES,
    SCORES,
    BIAS,
    OUTPUT
  }

  private final float[][] arrays = new float[Use.values().length][0];
  private int[] rows = new int[0];
  private VectorTile tile = new VectorTile(1);

  /** At least that long; holds whatever it held before. */
  public float[] floats(Use use, int length) {
    if (arrays[use.ordinal()].length < length) {
      arrays[use.ordinal()] = new float[length];
    }
    return arrays[use.ordinal()];
  }

  /** A list of rows, at least that long. */
  public int[] rows(int length) {
    if (rows.length < length) {
      rows = new int[length];
    }
    return rows;
  }

  public VectorTile tile(int headDim) {
    if (tile.headDim() != headDim) {
      tile = new VectorTile(headDim);
    }
    return tile;
  }

  /**
   * Reads the rows of one head into an array.
   *
   * @param rows {@code [tokens, headDim]}
   * @return {@code [tokens][headDim]}, possibly longer
   */
  public float[] read(Tensor rows, Use use) {
    int length = Math.toIntExact(rows.count());
    float[] numbers = floats(use, length);
    try (Scope scope = Scope.open()) {
      rows.to(DType.FLOAT32).contiguous().memory().asFloatBuffer().get(numbers, 0, length);
    }
    return numbers;
  }

  /** The same with {@link VectorTile#stride} numbers for each row, zeros behind its own. */
  public float[] readPadded(Tensor rows, Use use) {
    int headDim = (int) rows.size(1);
    int stride = VectorTile.stride(headDim);
    if (stride == headDim) {
      return read(rows, use);
    }
    int tokens = (int) rows.size(0);
    float[] numbers = floats(use, tokens * stride);
    try (Scope scope = Scope.open()) {
      FloatBuffer buffer = rows.to(DType.FLOAT32).contiguous().memory().asFloatBuffer();
      for (int token = 0; token < tokens; token++) {
        buffer.get(token * headDim, numbers, token * stride, headDim);
        Arrays.fill(numbers, token * stride + headDim, (token + 1) * stride, 0);
      }
    }
    return numbers;
  }

  /**
   * Writes rows of an array into the rows of one head.
   *
   * @param output {@code [tokens, headDim]}, written
   */
  public static void write(float[] numbers, Tensor output) {
    try (Scope scope = Scope.open()) {
      Tensor all = Tensor.empty(DType.FLOAT32, output.shape());
      all.memory().asFloatBuffer().put(numbers, 0, Math.toIntExact(output.count()));
      output.copyFrom(all);
    }
  }
}
