package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Rotary positions on a grid: the head vector is divided among the axes, and within an axis's part
 * the pair (2j, 2j + 1) turns by position * theta^(-2j / part). Angles are calculated in float64,
 * as Wan does, and stored in float32.
 *
 * @param theta the slowest wave length over 2 pi, for example 10000
 * @param parts elements of the head vector per axis, each even, outermost axis first
 */
public record RotaryEmbedding(double theta, List<Integer> parts) {
  public RotaryEmbedding {
    parts = List.copyOf(parts);
    if (!(theta > 1) || parts.isEmpty() || parts.stream().anyMatch(p -> p < 2 || p % 2 != 0)) {
      throw new IllegalArgumentException("No rotary embedding: theta " + theta + ", " + parts);
    }
  }

  /**
   * The rotation of every token of a grid, row-major (last axis fastest).
   *
   * @param sizes tokens along each axis
   * @return {@code [tokens, headDim]} FLOAT32 on the processor, pairs (cos, sin); for {@link
   *     Tensor#rotatePairs}
   */
  public Tensor table(long... sizes) {
    if (sizes.length != parts.size()) {
      throw new IllegalArgumentException(
          "A grid " + Arrays.toString(sizes) + " for " + parts.size() + " axes");
    }
    List<Tensor> columns = new ArrayList<>();
    long tokens = Arrays.stream(sizes).reduce(1, Math::multiplyExact);
    for (int axis = 0; axis < sizes.length; axis++) {
      long[] spread = new long[sizes.length + 1];
      Arrays.fill(spread, 1);
      spread[axis] = sizes[axis];
      spread[sizes.length] = parts.get(axis);
      long[] whole = Arrays.copyOf(sizes, sizes.length + 1);
      whole[sizes.length] = parts.get(axis);
      columns.add(
          alongAxis(axis, Math.toIntExact(sizes[axis]))
              .reshape(spread)
              .expand(whole)
              .reshape(tokens, parts.get(axis)));
    }
    return Tensor.cat(1, columns);
  }

  /** {@code [positions, part]}: (cos, sin) pairs of one axis. */
  private Tensor alongAxis(int axis, int positions) {
    int part = parts.get(axis);
    float[] pairs = new float[positions * part];
    for (int position = 0; position < positions; position++) {
      for (int j = 0; j < part; j += 2) {
        double angle = position * (1 / Math.pow(theta, (double) j / part));
        pairs[position * part + j] = (float) Math.cos(angle);
        pairs[position * part + j + 1] = (float) Math.sin(angle);
      }
    }
    return Tensor.of(pairs, positions, part);
  }

  /**
   * Turns queries or keys.
   *
   * @param x {@code [batch, tokens, heads, headDim]} FLOAT32
   * @param table {@code [tokens, headDim]}, the rows of these tokens
   * @return the same shape, FLOAT32
   */
  public static Tensor rotate(Tensor x, Tensor table) {
    return Precision.float32(x).rotatePairs(table.unsqueeze(1));
  }
}
