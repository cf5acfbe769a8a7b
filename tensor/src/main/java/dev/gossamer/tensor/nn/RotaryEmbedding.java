package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Device;
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
   * @param device that spreads the angles over the grid and gets the table
   * @param sizes tokens along each axis
   * @return {@code [tokens, headDim]} FLOAT32, pairs (cos, sin); for {@link Tensor#rotatePairs}
   */
  public Tensor table(Device device, long... sizes) {
    double[][] positions = new double[sizes.length][];
    for (int axis = 0; axis < sizes.length; axis++) {
      positions[axis] = new double[Math.toIntExact(sizes[axis])];
      Arrays.setAll(positions[axis], position -> position);
    }
    return tableAt(device, positions);
  }

  /**
   * As {@link #table}, for a grid whose tokens need not stand at 0, 1, 2 and so on.
   *
   * @param device as there
   * @param positions along each axis
   */
  public Tensor tableAt(Device device, double[]... positions) {
    if (positions.length != parts.size()) {
      throw new IllegalArgumentException(
          "A grid of " + positions.length + " axes for " + parts.size());
    }
    List<Tensor> axes = new ArrayList<>();
    for (int axis = 0; axis < positions.length; axis++) {
      axes.add(alongAxis(parts.get(axis), positions[axis]).to(device));
    }
    return GridTable.of(axes);
  }

  /** {@code [positions, part]}: (cos, sin) pairs of one axis. */
  private Tensor alongAxis(int part, double[] positions) {
    float[] pairs = new float[positions.length * part];
    for (int i = 0; i < positions.length; i++) {
      for (int j = 0; j < part; j += 2) {
        double angle = positions[i] * (1 / Math.pow(theta, (double) j / part));
        pairs[i * part + j] = (float) Math.cos(angle);
        pairs[i * part + j + 1] = (float) Math.sin(angle);
      }
    }
    return Tensor.of(pairs, positions.length, part);
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
