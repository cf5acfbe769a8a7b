package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Rows for every token of a grid, made of rows for the positions along each axis. */
final class GridTable {
  private GridTable() {}

  /**
   * @param axes {@code [positions, part]} each, outermost axis first
   * @return {@code [tokens, sum of parts]}: a token's rows of all axes side by side; tokens
   *     row-major, last axis fastest
   */
  static Tensor of(List<Tensor> axes) {
    List<Tensor> columns = new ArrayList<>();
    long[] sizes = axes.stream().mapToLong(axis -> axis.size(0)).toArray();
    long tokens = Arrays.stream(sizes).reduce(1, Math::multiplyExact);
    for (int axis = 0; axis < sizes.length; axis++) {
      long part = axes.get(axis).size(1);
      long[] spread = new long[sizes.length + 1];
      Arrays.fill(spread, 1);
      spread[axis] = sizes[axis];
      spread[sizes.length] = part;
      long[] whole = Arrays.copyOf(sizes, sizes.length + 1);
      whole[sizes.length] = part;
      columns.add(axes.get(axis).reshape(spread).expand(whole).reshape(tokens, part));
    }
    return Tensor.cat(1, columns);
  }
}
