package dev.gossamer.attention.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner loops of {@link VectorKernels#products} and {@link VectorKernels#weightedSums}, in
 * shapes of {@code rows x vectors} whose sums stay in the processor's 32 or 16 registers. Each
 * number of a result is the same sum in the same order in all of them. Arguments have been checked.
 *
 * <p>The compiler broadcasts the numbers of all rows before it multiplies the first. With 32
 * registers that is no loss, and 8 x 2 reads least. With 16, sums, neighbours and broadcast numbers
 * have to fit together: 3 x 3 takes 15, 4 x 2 takes 14.
 *
 * <p>The other registers are as scarce. Sums that were there before are therefore added last: were
 * they loaded first, their places would be kept through the loop, and its own counters in memory.
 */
final class VectorShapes {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = VectorKernels.LANES;
  private static final int ROWS = VectorKernels.ROWS;
  private static final int SIX = 6;
  private static final int FOUR = 4;
  private static final int THREE = 3;

  /**
   * Bits of a place in an array. Once the compiler knows that it has no sign, neighbours are read
   * at a constant distance, without an addition each.
   */
  private static final int NO_SIGN = (1 << 28) - 1;

  /** The longest array whose places have no more bits. */
  static final int LONGEST = NO_SIGN;

  private VectorShapes() {}

  static void productsOf32(
      float[] rows,
      int[] at,
      int first,
      int count,
      int depth,
      float[] across,
      int width,
      float[] out) {
    int column = 0;
    for (; column + 2 * LANES <= width; column += 2 * LANES) {
      for (int row = 0; row < count; row += ROWS) {
        products8x2(rows, at, first + row, depth, across, column, width, out, row * width + column);
      }
    }
    if (column < width) {
      for (int row = 0; row < count; row += ROWS) {
        products8x1(rows, at, first + row, depth, across, column, width, out, row * width + column);
      }
    }
  }

  /** Columns in threes, the last two or four in twos; the last rows of three may be met twice. */
  static void productsOf16(
      float[] rows,
      int[] at,
      int first,
      int count,
      int depth,
      float[] across,
      int width,
      float[] out) {
    int column = 0;
    while (width - column >= 2 * LANES) {
      boolean pair = width - column == 2 * LANES || width - column == 4 * LANES;
      if (pair) {
        for (int row = 0; row < count; row += ROWS / 2) {
          products4x2(
              rows, at, first + row, depth, across, column, width, out, row * width + column);
        }
        column += 2 * LANES;
      } else {
        for (int row = 0; row < count; row += THREE) {
          int from = Math.min(row, count - THREE);
          products3x3(
              rows, at, first + from, depth, across, column, width, out, from * width + column);
        }
        column += THREE * LANES;
      }
    }
    if (column < width) {
      for (int row = 0; row < count; row += ROWS) {
        products8x1(rows, at, first + row, depth, across, column, width, out, row * width + column);
      }
    }
  }

  private static void products8x2(
      float[] rows,
      int[] at,
      int i,
      int depth,
      float[] across,
      int column,
      int width,
      float[] out,
      int to) {
    int r0 = at[i];
    int r1 = at[i + 1];
    int r2 = at[i + 2];
    int r3 = at[i + 3];
    int r4 = at[i + 4];
    int r5 = at[i + 5];
    int r6 = at[i + 6];
    int r7 = at[i + 7];
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector a4 = zero;
    FloatVector a5 = zero;
    FloatVector a6 = zero;
    FloatVector a7 = zero;
    FloatVector b0 = zero;
    FloatVector b1 = zero;
    FloatVector b2 = zero;
    FloatVector b3 = zero;
    FloatVector b4 = zero;
    FloatVector b5 = zero;
    FloatVector b6 = zero;
    FloatVector b7 = zero;
    for (int t = 0; t < depth; t++) {
      int from = column + t * width;
      FloatVector a = FloatVector.fromArray(SPECIES, across, from);
      FloatVector b = FloatVector.fromArray(SPECIES, across, from + LANES);
      FloatVector x = FloatVector.broadcast(SPECIES, rows[r0 + t]);
      a0 = x.fma(a, a0);
      b0 = x.fma(b, b0);
      x = FloatVector.broadcast(SPECIES, rows[r1 + t]);
      a1 = x.fma(a, a1);
      b1 = x.fma(b, b1);
      x = FloatVector.broadcast(SPECIES, rows[r2 + t]);
      a2 = x.fma(a, a2);
      b2 = x.fma(b, b2);
      x = FloatVector.broadcast(SPECIES, rows[r3 + t]);
      a3 = x.fma(a, a3);
      b3 = x.fma(b, b3);
      x = FloatVector.broadcast(SPECIES, rows[r4 + t]);
      a4 = x.fma(a, a4);
      b4 = x.fma(b, b4);
      x = FloatVector.broadcast(SPECIES, rows[r5 + t]);
      a5 = x.fma(a, a5);
      b5 = x.fma(b, b5);
      x = FloatVector.broadcast(SPECIES, rows[r6 + t]);
      a6 = x.fma(a, a6);
      b6 = x.fma(b, b6);
      x = FloatVector.broadcast(SPECIES, rows[r7 + t]);
      a7 = x.fma(a, a7);
      b7 = x.fma(b, b7);
    }
    put(out, to, a0, b0);
    put(out, to + width, a1, b1);
    put(out, to + 2 * width, a2, b2);
    put(out, to + 3 * width, a3, b3);
    put(out, to + 4 * width, a4, b4);
    put(out, to + 5 * width, a5, b5);
    put(out, to + 6 * width, a6, b6);
    put(out, to + 7 * width, a7, b7);
  }

  private static void products8x1(
      float[] rows,
      int[] at,
      int i,
      int depth,
      float[] across,
      int column,
      int width,
      float[] out,
      int to) {
    int r0 = at[i];
    int r1 = at[i + 1];
    int r2 = at[i + 2];
    int r3 = at[i + 3];
    int r4 = at[i + 4];
    int r5 = at[i + 5];
    int r6 = at[i + 6];
    int r7 = at[i + 7];
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector a4 = zero;
    FloatVector a5 = zero;
    FloatVector a6 = zero;
    FloatVector a7 = zero;
    for (int t = 0; t < depth; t++) {
      FloatVector a = FloatVector.fromArray(SPECIES, across, column + t * width);
      a0 = FloatVector.broadcast(SPECIES, rows[r0 + t]).fma(a, a0);
      a1 = FloatVector.broadcast(SPECIES, rows[r1 + t]).fma(a, a1);
      a2 = FloatVector.broadcast(SPECIES, rows[r2 + t]).fma(a, a2);
      a3 = FloatVector.broadcast(SPECIES, rows[r3 + t]).fma(a, a3);
      a4 = FloatVector.broadcast(SPECIES, rows[r4 + t]).fma(a, a4);
      a5 = FloatVector.broadcast(SPECIES, rows[r5 + t]).fma(a, a5);
      a6 = FloatVector.broadcast(SPECIES, rows[r6 + t]).fma(a, a6);
      a7 = FloatVector.broadcast(SPECIES, rows[r7 + t]).fma(a, a7);
    }
    a0.intoArray(out, to);
    a1.intoArray(out, to + width);
    a2.intoArray(out, to + 2 * width);
    a3.intoArray(out, to + 3 * width);
    a4.intoArray(out, to + 4 * width);
    a5.intoArray(out, to + 5 * width);
    a6.intoArray(out, to + 6 * width);
    a7.intoArray(out, to + 7 * width);
  }

  private static void products3x3(
      float[] rows,
      int[] at,
      int i,
      int depth,
      float[] across,
      int column,
      int width,
      float[] out,
      int to) {
    int r0 = at[i];
    int r1 = at[i + 1];
    int r2 = at[i + 2];
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector b0 = zero;
    FloatVector b1 = zero;
    FloatVector b2 = zero;
    FloatVector c0 = zero;
    FloatVector c1 = zero;
    FloatVector c2 = zero;
    int next = column;
    for (int t = 0; t < depth; t++) {
      int from = next & NO_SIGN;
      FloatVector a = FloatVector.fromArray(SPECIES, across, from);
      FloatVector b = FloatVector.fromArray(SPECIES, across, from + LANES);
      FloatVector c = FloatVector.fromArray(SPECIES, across, from + 2 * LANES);
      FloatVector x = FloatVector.broadcast(SPECIES, rows[r0 + t]);
      a0 = x.fma(a, a0);
      b0 = x.fma(b, b0);
      c0 = x.fma(c, c0);
      x = FloatVector.broadcast(SPECIES, rows[r1 + t]);
      a1 = x.fma(a, a1);
      b1 = x.fma(b, b1);
      c1 = x.fma(c, c1);
      x = FloatVector.broadcast(SPECIES, rows[r2 + t]);
      a2 = x.fma(a, a2);
      b2 = x.fma(b, b2);
      c2 = x.fma(c, c2);
      next += width;
    }
    put(out, to, a0, b0, c0);
    put(out, to + width, a1, b1, c1);
    put(out, to + 2 * width, a2, b2, c2);
  }

  private static void products4x2(
      float[] rows,
      int[] at,
      int i,
      int depth,
      float[] across,
      int column,
      int width,
      float[] out,
      int to) {
    int r0 = at[i];
    int r1 = at[i + 1];
    int r2 = at[i + 2];
    int r3 = at[i + 3];
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector b0 = zero;
    FloatVector b1 = zero;
    FloatVector b2 = zero;
    FloatVector b3 = zero;
    for (int t = 0; t < depth; t++) {
      int from = column + t * width & NO_SIGN;
      FloatVector a = FloatVector.fromArray(SPECIES, across, from);
      FloatVector b = FloatVector.fromArray(SPECIES, across, from + LANES);
      FloatVector x = FloatVector.broadcast(SPECIES, rows[r0 + t]);
      a0 = x.fma(a, a0);
      b0 = x.fma(b, b0);
      x = FloatVector.broadcast(SPECIES, rows[r1 + t]);
      a1 = x.fma(a, a1);
      b1 = x.fma(b, b1);
      x = FloatVector.broadcast(SPECIES, rows[r2 + t]);
      a2 = x.fma(a, a2);
      b2 = x.fma(b, b2);
      x = FloatVector.broadcast(SPECIES, rows[r3 + t]);
      a3 = x.fma(a, a3);
      b3 = x.fma(b, b3);
    }
    put(out, to, a0, b0);
    put(out, to + width, a1, b1);
    put(out, to + 2 * width, a2, b2);
    put(out, to + 3 * width, a3, b3);
  }

  static void sumsOf32(
      float[] weights,
      int width,
      int queries,
      float[] values,
      int[] at,
      int first,
      int count,
      int columns,
      float[] sums) {
    int column = 0;
    for (; column + 2 * LANES <= columns; column += 2 * LANES) {
      for (int query = 0; query < queries; query += ROWS) {
        sums8x2(weights, width, query, values, at, first, count, column, sums, columns);
      }
    }
    if (column < columns) {
      for (int query = 0; query < queries; query += ROWS) {
        sums8x1(weights, width, query, values, at, first, count, column, sums, columns);
      }
    }
  }

  /**
   * Queries, rounded up to an even number and at least four, in sixes, but for the last four or
   * eight where sixes do not come out; a last odd vector of columns in eights.
   */
  static void sumsOf16(
      float[] weights,
      int width,
      int queries,
      float[] values,
      int[] at,
      int first,
      int count,
      int columns,
      float[] sums) {
    int even = queries == 0 ? 0 : Math.max(FOUR, queries + queries % 2);
    int rest = even % SIX;
    int sixes = even - (rest == 2 ? 2 * FOUR : rest);
    int column = 0;
    for (; column + 2 * LANES <= columns; column += 2 * LANES) {
      int query = 0;
      for (; query < sixes; query += SIX) {
        sums6x2(weights, width, query, values, at, first, count, column, sums, columns);
      }
      for (; query < even; query += FOUR) {
        sums4x2(weights, width, query, values, at, first, count, column, sums, columns);
      }
    }
    for (int query = 0; column < columns && query < queries; query += ROWS) {
      sums8x1(weights, width, query, values, at, first, count, column, sums, columns);
    }
  }

  private static void sums8x2(
      float[] weights,
      int width,
      int query,
      float[] values,
      int[] at,
      int first,
      int count,
      int column,
      float[] sums,
      int columns) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector a4 = zero;
    FloatVector a5 = zero;
    FloatVector a6 = zero;
    FloatVector a7 = zero;
    FloatVector b0 = zero;
    FloatVector b1 = zero;
    FloatVector b2 = zero;
    FloatVector b3 = zero;
    FloatVector b4 = zero;
    FloatVector b5 = zero;
    FloatVector b6 = zero;
    FloatVector b7 = zero;
    int next = query;
    for (int i = 0; i < count; i++) {
      int from = at[first + i] + column & NO_SIGN;
      int w = next & NO_SIGN;
      FloatVector a = FloatVector.fromArray(SPECIES, values, from);
      FloatVector b = FloatVector.fromArray(SPECIES, values, from + LANES);
      FloatVector x = FloatVector.broadcast(SPECIES, weights[w]);
      a0 = x.fma(a, a0);
      b0 = x.fma(b, b0);
      x = FloatVector.broadcast(SPECIES, weights[w + 1]);
      a1 = x.fma(a, a1);
      b1 = x.fma(b, b1);
      x = FloatVector.broadcast(SPECIES, weights[w + 2]);
      a2 = x.fma(a, a2);
      b2 = x.fma(b, b2);
      x = FloatVector.broadcast(SPECIES, weights[w + 3]);
      a3 = x.fma(a, a3);
      b3 = x.fma(b, b3);
      x = FloatVector.broadcast(SPECIES, weights[w + 4]);
      a4 = x.fma(a, a4);
      b4 = x.fma(b, b4);
      x = FloatVector.broadcast(SPECIES, weights[w + 5]);
      a5 = x.fma(a, a5);
      b5 = x.fma(b, b5);
      x = FloatVector.broadcast(SPECIES, weights[w + 6]);
      a6 = x.fma(a, a6);
      b6 = x.fma(b, b6);
      x = FloatVector.broadcast(SPECIES, weights[w + 7]);
      a7 = x.fma(a, a7);
      b7 = x.fma(b, b7);
      next += width;
    }
    int to = query * columns + column;
    add(sums, to, a0, b0);
    add(sums, to + columns, a1, b1);
    add(sums, to + 2 * columns, a2, b2);
    add(sums, to + 3 * columns, a3, b3);
    add(sums, to + 4 * columns, a4, b4);
    add(sums, to + 5 * columns, a5, b5);
    add(sums, to + 6 * columns, a6, b6);
    add(sums, to + 7 * columns, a7, b7);
  }

  private static void sums8x1(
      float[] weights,
      int width,
      int query,
      float[] values,
      int[] at,
      int first,
      int count,
      int column,
      float[] sums,
      int columns) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector a4 = zero;
    FloatVector a5 = zero;
    FloatVector a6 = zero;
    FloatVector a7 = zero;
    int next = query;
    for (int i = 0; i < count; i++) {
      int from = at[first + i] + column & NO_SIGN;
      int w = next & NO_SIGN;
      FloatVector a = FloatVector.fromArray(SPECIES, values, from);
      a0 = FloatVector.broadcast(SPECIES, weights[w]).fma(a, a0);
      a1 = FloatVector.broadcast(SPECIES, weights[w + 1]).fma(a, a1);
      a2 = FloatVector.broadcast(SPECIES, weights[w + 2]).fma(a, a2);
      a3 = FloatVector.broadcast(SPECIES, weights[w + 3]).fma(a, a3);
      a4 = FloatVector.broadcast(SPECIES, weights[w + 4]).fma(a, a4);
      a5 = FloatVector.broadcast(SPECIES, weights[w + 5]).fma(a, a5);
      a6 = FloatVector.broadcast(SPECIES, weights[w + 6]).fma(a, a6);
      a7 = FloatVector.broadcast(SPECIES, weights[w + 7]).fma(a, a7);
      next += width;
    }
    int to = query * columns + column;
    add(sums, to, a0);
    add(sums, to + columns, a1);
    add(sums, to + 2 * columns, a2);
    add(sums, to + 3 * columns, a3);
    add(sums, to + 4 * columns, a4);
    add(sums, to + 5 * columns, a5);
    add(sums, to + 6 * columns, a6);
    add(sums, to + 7 * columns, a7);
  }

  private static void sums6x2(
      float[] weights,
      int width,
      int query,
      float[] values,
      int[] at,
      int first,
      int count,
      int column,
      float[] sums,
      int columns) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector a4 = zero;
    FloatVector a5 = zero;
    FloatVector b0 = zero;
    FloatVector b1 = zero;
    FloatVector b2 = zero;
    FloatVector b3 = zero;
    FloatVector b4 = zero;
    FloatVector b5 = zero;
    int next = query;
    for (int i = 0; i < count; i++) {
      int from = at[first + i] + column & NO_SIGN;
      int w = next & NO_SIGN;
      FloatVector a = FloatVector.fromArray(SPECIES, values, from);
      FloatVector b = FloatVector.fromArray(SPECIES, values, from + LANES);
      FloatVector x = FloatVector.broadcast(SPECIES, weights[w]);
      a0 = x.fma(a, a0);
      b0 = x.fma(b, b0);
      x = FloatVector.broadcast(SPECIES, weights[w + 1]);
      a1 = x.fma(a, a1);
      b1 = x.fma(b, b1);
      x = FloatVector.broadcast(SPECIES, weights[w + 2]);
      a2 = x.fma(a, a2);
      b2 = x.fma(b, b2);
      x = FloatVector.broadcast(SPECIES, weights[w + 3]);
      a3 = x.fma(a, a3);
      b3 = x.fma(b, b3);
      x = FloatVector.broadcast(SPECIES, weights[w + 4]);
      a4 = x.fma(a, a4);
      b4 = x.fma(b, b4);
      x = FloatVector.broadcast(SPECIES, weights[w + 5]);
      a5 = x.fma(a, a5);
      b5 = x.fma(b, b5);
      next += width;
    }
    int to = query * columns + column;
    add(sums, to, a0, b0);
    add(sums, to + columns, a1, b1);
    add(sums, to + 2 * columns, a2, b2);
    add(sums, to + 3 * columns, a3, b3);
    add(sums, to + 4 * columns, a4, b4);
    add(sums, to + 5 * columns, a5, b5);
  }

  private static void sums4x2(
      float[] weights,
      int width,
      int query,
      float[] values,
      int[] at,
      int first,
      int count,
      int column,
      float[] sums,
      int columns) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector a0 = zero;
    FloatVector a1 = zero;
    FloatVector a2 = zero;
    FloatVector a3 = zero;
    FloatVector b0 = zero;
    FloatVector b1 = zero;
    FloatVector b2 = zero;
    FloatVector b3 = zero;
    int next = query;
    for (int i = 0; i < count; i++) {
      int from = at[first + i] + column & NO_SIGN;
      int w = next & NO_SIGN;
      FloatVector a = FloatVector.fromArray(SPECIES, values, from);
      FloatVector b = FloatVector.fromArray(SPECIES, values, from + LANES);
      FloatVector x = FloatVector.broadcast(SPECIES, weights[w]);
      a0 = x.fma(a, a0);
      b0 = x.fma(b, b0);
      x = FloatVector.broadcast(SPECIES, weights[w + 1]);
      a1 = x.fma(a, a1);
      b1 = x.fma(b, b1);
      x = FloatVector.broadcast(SPECIES, weights[w + 2]);
      a2 = x.fma(a, a2);
      b2 = x.fma(b, b2);
      x = FloatVector.broadcast(SPECIES, weights[w + 3]);
      a3 = x.fma(a, a3);
      b3 = x.fma(b, b3);
      next += width;
    }
    int to = query * columns + column;
    add(sums, to, a0, b0);
    add(sums, to + columns, a1, b1);
    add(sums, to + 2 * columns, a2, b2);
    add(sums, to + 3 * columns, a3, b3);
  }

  private static void add(float[] sums, int to, FloatVector a) {
    FloatVector.fromArray(SPECIES, sums, to).add(a).intoArray(sums, to);
  }

  private static void add(float[] sums, int to, FloatVector a, FloatVector b) {
    add(sums, to, a);
    add(sums, to + LANES, b);
  }

  private static void put(float[] out, int to, FloatVector a, FloatVector b) {
    a.intoArray(out, to);
    b.intoArray(out, to + LANES);
  }

  private static void put(float[] out, int to, FloatVector a, FloatVector b, FloatVector c) {
    put(out, to, a, b);
    c.intoArray(out, to + 2 * LANES);
  }
}
