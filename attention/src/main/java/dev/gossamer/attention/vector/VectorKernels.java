package dev.gossamer.attention.vector;

import java.util.Arrays;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The loops in which a clustered attention spends its time, on float32 arrays. Two shapes of a
 * matrix product suffice: rows picked by offsets against columns that lie side by side in vectors
 * ({@link #products}), and weighted sums of picked rows ({@link #weightedSums}). Nothing needs to
 * be packed: a list of offsets says which rows take part.
 *
 * <p>Each sum runs in one fixed order, so that no result depends on threads. Where a method's width
 * must be a multiple of {@link #LANES}, what lies in columns behind the last one used is free, but
 * there.
 *
 * <p>Touch this class only if {@link VectorApi#available()}.
 */
public final class VectorKernels {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  private static final VectorSpecies<Integer> WHOLE = IntVector.SPECIES_PREFERRED;

  /** Floats of one vector on this processor. */
  public static final int LANES = SPECIES.length();

  /** Rows that a product takes at a time: numbers of rows are multiples of it. */
  public static final int ROWS = 8;

  /** Stands for minus infinity where that would lead to NaN. */
  public static final float UNSEEN = -1e30f;

  // exp(x) = 2^n exp(r) with x = n log 2 + r, |r| <= log 2 / 2; exp(r) = 1 + r + r^2 q(r), where q
  // was
  // fitted so that the relative error of exp is nowhere above 4e-9, far below that of float32.
  private static final float LOG2_E = 1.44269504f;
  private static final float LN2_HIGH = 0.693359375f; // few bits, so that n times it is exact
  private static final float LN2_LOW = -2.12194440e-4f;
  private static final float ROUNDER = 0x1.8p23f + 127; // adding it leaves n + 127 in the low bits
  // exp of -87 is about the last number with all its digits
  private static final int LEAST_BITS = 0xc2ae0000; // of -87f
  private static final float Q0 = 0.49999994f;
  private static final float Q1 = 0.16666521f;
  private static final float Q2 = 0.04166839f;
  private static final float Q3 = 0.008368717f;
  private static final float Q4 = 0.0013814599f;
  private static final int EXPONENT = 23;

  private static final float[] COUNT = counting();

  private VectorKernels() {}

  private static float[] counting() {
    float[] numbers = new float[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      numbers[lane] = lane;
    }
    return numbers;
  }

  /** The next multiple of {@link #LANES}. */
  public static int padded(int columns) {
    return padded(columns, LANES);
  }

  /** The next multiple of {@link #ROWS}. */
  public static int paddedRows(int rows) {
    return padded(rows, ROWS);
  }

  /** The next multiple of both. */
  public static int paddedTile(int columns) {
    return padded(columns, Math.max(LANES, ROWS));
  }

  private static int padded(int count, int step) {
    return (count + step - 1) / step * step;
  }

  private static void check(boolean fits, String what) {
    if (!fits) {
      throw new IndexOutOfBoundsException(what);
    }
  }

  /**
   * {@code out[i][c] = sum over t of rows[at[first + i] + t] * across[t][c]}.
   *
   * @param at where each row begins; {@code count} of them from {@code first} on, a multiple of
   *     {@link #ROWS}
   * @param depth length of a row
   * @param across {@code [depth][width]}
   * @param width multiple of {@link #LANES}
   * @param out {@code [count][width]}, written
   */
  public static void products(
      float[] rows,
      int[] at,
      int first,
      int count,
      int depth,
      float[] across,
      int width,
      float[] out) {
    check(count % ROWS == 0 && width % LANES == 0, "count or width");
    Objects.checkFromIndexSize(first, count, at.length);
    Objects.checkFromIndexSize(0, Math.multiplyExact(depth, width), across.length);
    Objects.checkFromIndexSize(0, Math.multiplyExact(count, width), out.length);
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

  private static void put(float[] out, int to, FloatVector a, FloatVector b) {
    a.intoArray(out, to);
    b.intoArray(out, to + LANES);
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

  /**
   * {@code sums[q][c] = keep[q] * sums[q][c] + sum over i of weights[i][q] * values[at[first + i] +
   * c]}.
   *
   * @param weights {@code [count][width]}
   * @param queries rows of {@code sums}, a multiple of {@link #ROWS}, at most {@code width}
   * @param at where each row of values begins; {@code count} of them from {@code first} on
   * @param columns length of a row of values and of sums, a multiple of {@link #LANES}
   */
  public static void weightedSums(
      float[] weights,
      int width,
      int queries,
      float[] values,
      int[] at,
      int first,
      int count,
      int columns,
      float[] keep,
      float[] sums) {
    check(queries % ROWS == 0 && queries <= width && columns % LANES == 0, "queries or columns");
    Objects.checkFromIndexSize(first, count, at.length);
    Objects.checkFromIndexSize(0, Math.multiplyExact(count, width), weights.length);
    Objects.checkFromIndexSize(0, Math.multiplyExact(queries, columns), sums.length);
    Objects.checkFromIndexSize(0, queries, keep.length);
    int last = values.length - columns;
    for (int i = first; i < first + count; i++) {
      check(at[i] >= 0 && at[i] <= last, "a row of values");
    }
    scale(sums, queries, columns, keep);
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

  /** In a loop of its own: inside the products, it would keep the compiler from their registers. */
  private static void scale(float[] sums, int queries, int columns, float[] keep) {
    for (int query = 0; query < queries; query++) {
      FloatVector factor = FloatVector.broadcast(SPECIES, keep[query]);
      for (int at = query * columns; at < (query + 1) * columns; at += LANES) {
        FloatVector.fromArray(SPECIES, sums, at).mul(factor).intoArray(sums, at);
      }
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
    int to = query * columns + column;
    int next = to + LANES;
    FloatVector a0 = FloatVector.fromArray(SPECIES, sums, to);
    FloatVector a1 = FloatVector.fromArray(SPECIES, sums, to + columns);
    FloatVector a2 = FloatVector.fromArray(SPECIES, sums, to + 2 * columns);
    FloatVector a3 = FloatVector.fromArray(SPECIES, sums, to + 3 * columns);
    FloatVector a4 = FloatVector.fromArray(SPECIES, sums, to + 4 * columns);
    FloatVector a5 = FloatVector.fromArray(SPECIES, sums, to + 5 * columns);
    FloatVector a6 = FloatVector.fromArray(SPECIES, sums, to + 6 * columns);
    FloatVector a7 = FloatVector.fromArray(SPECIES, sums, to + 7 * columns);
    FloatVector b0 = FloatVector.fromArray(SPECIES, sums, next);
    FloatVector b1 = FloatVector.fromArray(SPECIES, sums, next + columns);
    FloatVector b2 = FloatVector.fromArray(SPECIES, sums, next + 2 * columns);
    FloatVector b3 = FloatVector.fromArray(SPECIES, sums, next + 3 * columns);
    FloatVector b4 = FloatVector.fromArray(SPECIES, sums, next + 4 * columns);
    FloatVector b5 = FloatVector.fromArray(SPECIES, sums, next + 5 * columns);
    FloatVector b6 = FloatVector.fromArray(SPECIES, sums, next + 6 * columns);
    FloatVector b7 = FloatVector.fromArray(SPECIES, sums, next + 7 * columns);
    for (int i = 0; i < count; i++) {
      int from = at[first + i] + column;
      int w = i * width + query;
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
    }
    put(sums, to, a0, b0);
    put(sums, to + columns, a1, b1);
    put(sums, to + 2 * columns, a2, b2);
    put(sums, to + 3 * columns, a3, b3);
    put(sums, to + 4 * columns, a4, b4);
    put(sums, to + 5 * columns, a5, b5);
    put(sums, to + 6 * columns, a6, b6);
    put(sums, to + 7 * columns, a7, b7);
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
    int to = query * columns + column;
    FloatVector a0 = FloatVector.fromArray(SPECIES, sums, to);
    FloatVector a1 = FloatVector.fromArray(SPECIES, sums, to + columns);
    FloatVector a2 = FloatVector.fromArray(SPECIES, sums, to + 2 * columns);
    FloatVector a3 = FloatVector.fromArray(SPECIES, sums, to + 3 * columns);
    FloatVector a4 = FloatVector.fromArray(SPECIES, sums, to + 4 * columns);
    FloatVector a5 = FloatVector.fromArray(SPECIES, sums, to + 5 * columns);
    FloatVector a6 = FloatVector.fromArray(SPECIES, sums, to + 6 * columns);
    FloatVector a7 = FloatVector.fromArray(SPECIES, sums, to + 7 * columns);
    for (int i = 0; i < count; i++) {
      int w = i * width + query;
      FloatVector a = FloatVector.fromArray(SPECIES, values, at[first + i] + column);
      a0 = FloatVector.broadcast(SPECIES, weights[w]).fma(a, a0);
      a1 = FloatVector.broadcast(SPECIES, weights[w + 1]).fma(a, a1);
      a2 = FloatVector.broadcast(SPECIES, weights[w + 2]).fma(a, a2);
      a3 = FloatVector.broadcast(SPECIES, weights[w + 3]).fma(a, a3);
      a4 = FloatVector.broadcast(SPECIES, weights[w + 4]).fma(a, a4);
      a5 = FloatVector.broadcast(SPECIES, weights[w + 5]).fma(a, a5);
      a6 = FloatVector.broadcast(SPECIES, weights[w + 6]).fma(a, a6);
      a7 = FloatVector.broadcast(SPECIES, weights[w + 7]).fma(a, a7);
    }
    a0.intoArray(sums, to);
    a1.intoArray(sums, to + columns);
    a2.intoArray(sums, to + 2 * columns);
    a3.intoArray(sums, to + 3 * columns);
    a4.intoArray(sums, to + 4 * columns);
    a5.intoArray(sums, to + 5 * columns);
    a6.intoArray(sums, to + 6 * columns);
    a7.intoArray(sums, to + 7 * columns);
  }

  private static FloatVector all(float number) {
    return FloatVector.broadcast(SPECIES, number); // a constant, unlike a vector in a static field
  }

  /**
   * Replaces {@code count} vectors by e to the power of them less {@code less}, which must leave
   * none above 0, and adds them to {@code sum}. Relative error below 2e-7; 1.6e-38 from -87
   * downwards, NaN for NaN and minus infinity.
   *
   * <p>All that exponentiates calls this one loop: the compiler would not put another copy of it
   * into a caller, and vectors that are handed to a method go through memory.
   *
   * @param step from one vector to the next
   * @param less {@code [LANES]} from {@code column} on, likewise sum
   */
  private static void exps(
      float[] numbers, int from, int step, int count, float[] less, float[] sums, int column) {
    FloatVector most = FloatVector.fromArray(SPECIES, less, column);
    FloatVector sum = FloatVector.fromArray(SPECIES, sums, column);
    for (int i = 0; i < count; i++) {
      int at = from + i * step;
      FloatVector logit = FloatVector.fromArray(SPECIES, numbers, at).sub(most);
      // Numbers with a sign are the larger as integers the further from zero they are. Comparing
      // them so takes a fraction of the time of comparing floats, which has NaN to think of.
      FloatVector x =
          logit
              .reinterpretAsInts()
              .lanewise(VectorOperators.OR, IntVector.broadcast(WHOLE, Integer.MIN_VALUE))
              .lanewise(VectorOperators.MIN, IntVector.broadcast(WHOLE, LEAST_BITS))
              .reinterpretAsFloats();
      FloatVector shifted = x.fma(all(LOG2_E), all(ROUNDER));
      FloatVector n = shifted.sub(all(ROUNDER));
      FloatVector r = n.fma(all(-LN2_HIGH), x);
      r = n.fma(all(-LN2_LOW), r);
      FloatVector q = all(Q4);
      q = q.fma(r, all(Q3));
      q = q.fma(r, all(Q2));
      q = q.fma(r, all(Q1));
      q = q.fma(r, all(Q0));
      FloatVector e = q.fma(r.mul(r), r).add(all(1));
      IntVector power = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, EXPONENT);
      e = logit.fma(all(0), e.mul(power.reinterpretAsFloats())); // NaN stays NaN
      e.intoArray(numbers, at);
      sum = sum.add(e);
    }
    sum.intoArray(sums, column);
  }

  /** exp of every number of an array in place; none may be above 0. */
  static void exps(float[] numbers) {
    check(numbers.length % LANES == 0, "length");
    float[] zeros = new float[LANES];
    exps(numbers, 0, LANES, numbers.length / LANES, zeros, new float[LANES], 0);
  }

  private static FloatVector larger(FloatVector a, FloatVector b) {
    return a.blend(
        b, b.compare(VectorOperators.GT, a)); // b = NaN stays out, and shows in exp(b - a)
  }

  /**
   * One more block of an online softmax down columns: replaces logits by exp(logit - maximum).
   *
   * @param scores {@code [count][width]}
   * @param maxima {@code [width]}, of all blocks so far ({@link #UNSEEN} before the first); updated
   * @param sums {@code [width]}, of all exponentials so far; updated
   * @param keep {@code [width]}, written: what earlier exponentials must be multiplied by
   */
  public static void columnExps(
      float[] scores, int count, int width, float[] maxima, float[] sums, float[] keep) {
    check(width % LANES == 0, "width");
    Objects.checkFromIndexSize(0, Math.multiplyExact(count, width), scores.length);
    Objects.checkFromIndexSize(
        0, width, Math.min(maxima.length, Math.min(sums.length, keep.length)));
    for (int column = 0; column < width; column += LANES) {
      columnExps(scores, count, width, column, maxima, sums, keep);
    }
  }

  private static void columnExps(
      float[] scores,
      int count,
      int width,
      int column,
      float[] maxima,
      float[] sums,
      float[] keep) {
    FloatVector before = FloatVector.fromArray(SPECIES, maxima, column);
    FloatVector m0 = before;
    FloatVector m1 = before;
    FloatVector m2 = before;
    FloatVector m3 = before;
    int i = 0;
    for (; i + 4 <= count; i += 4) {
      int at = i * width + column;
      m0 = larger(m0, FloatVector.fromArray(SPECIES, scores, at));
      m1 = larger(m1, FloatVector.fromArray(SPECIES, scores, at + width));
      m2 = larger(m2, FloatVector.fromArray(SPECIES, scores, at + 2 * width));
      m3 = larger(m3, FloatVector.fromArray(SPECIES, scores, at + 3 * width));
    }
    for (; i < count; i++) {
      m0 = larger(m0, FloatVector.fromArray(SPECIES, scores, i * width + column));
    }
    larger(larger(m0, m1), larger(m2, m3)).intoArray(maxima, column);
    before.intoArray(keep, column);
    FloatVector sum = FloatVector.fromArray(SPECIES, sums, column);
    exps(keep, column, LANES, 1, maxima, sums, column);
    sum.mul(FloatVector.fromArray(SPECIES, keep, column)).intoArray(sums, column);
    exps(scores, column, width, count, maxima, sums, column);
  }

  /**
   * Adds a number to {@code width} neighbours.
   *
   * @param width multiple of {@link #LANES}
   */
  public static void add(float[] numbers, int from, int width, float summand) {
    check(width % LANES == 0, "width");
    Objects.checkFromIndexSize(from, width, numbers.length);
    for (int i = from; i < from + width; i += LANES) {
      FloatVector.fromArray(SPECIES, numbers, i).add(all(summand)).intoArray(numbers, i);
    }
  }

  /**
   * Where {@code scores[c] + bias[c]} is largest; the first such place, 0 if there are only NaN.
   *
   * @param from first score
   * @param width multiple of {@link #LANES}; a bias of {@link #UNSEEN} keeps a column out
   * @param lanes {@code [2 * LANES]} scratch
   */
  public static int argmax(float[] scores, int from, int width, float[] bias, float[] lanes) {
    check(width % LANES == 0, "width");
    Objects.checkFromIndexSize(from, width, scores.length);
    Objects.checkFromIndexSize(0, width, bias.length);
    Objects.checkFromIndexSize(0, 2 * LANES, lanes.length);
    FloatVector best = all(Float.NEGATIVE_INFINITY);
    FloatVector place = FloatVector.fromArray(SPECIES, COUNT, 0);
    FloatVector here = place;
    for (int i = 0; i < width; i += LANES) {
      FloatVector score =
          FloatVector.fromArray(SPECIES, scores, from + i)
              .add(FloatVector.fromArray(SPECIES, bias, i));
      VectorMask<Float> wins = score.compare(VectorOperators.GT, best);
      best = best.blend(score, wins);
      place = place.blend(here, wins);
      here = here.add(all(LANES));
    }
    best.intoArray(lanes, 0);
    place.intoArray(lanes, LANES);
    float top = lanes[0];
    float found = lanes[LANES];
    for (int lane = 1; lane < LANES; lane++) {
      float rival = lanes[lane];
      if (rival > top || rival == top && lanes[LANES + lane] < found) {
        top = rival;
        found = lanes[LANES + lane];
      }
    }
    return (int) found;
  }

  /**
   * Adds the softmax of {@code scores[c] + bias[c]} to {@code mass}; scores are overwritten.
   *
   * @param from first score
   * @param width multiple of {@link #LANES}; a bias of {@link #UNSEEN} keeps a column out
   * @param maxima {@code [LANES]} scratch, likewise sums
   */
  public static void addSoftmax(
      float[] scores,
      int from,
      int width,
      float[] bias,
      float[] mass,
      float[] maxima,
      float[] sums) {
    check(width % LANES == 0, "width");
    Objects.checkFromIndexSize(0, LANES, Math.min(maxima.length, sums.length));
    Objects.checkFromIndexSize(from, width, scores.length);
    Objects.checkFromIndexSize(0, width, Math.min(bias.length, mass.length));
    FloatVector most = all(UNSEEN);
    for (int i = 0; i < width; i += LANES) {
      FloatVector logit =
          FloatVector.fromArray(SPECIES, scores, from + i)
              .add(FloatVector.fromArray(SPECIES, bias, i));
      logit.intoArray(scores, from + i);
      most = larger(most, logit);
    }
    most.intoArray(maxima, 0);
    float maximum = maxima[0];
    for (int lane = 1; lane < LANES; lane++) {
      maximum = Math.max(maximum, maxima[lane]);
    }
    Arrays.fill(maxima, 0, LANES, maximum);
    Arrays.fill(sums, 0, LANES, 0);
    exps(scores, from, LANES, width / LANES, maxima, sums, 0);
    float total = 0; // in order: Java's own sum over lanes takes any order that it likes
    for (int lane = 0; lane < LANES; lane++) {
      total += sums[lane];
    }
    float share = 1 / total;
    for (int i = 0; i < width; i += LANES) {
      FloatVector.fromArray(SPECIES, scores, from + i)
          .fma(all(share), FloatVector.fromArray(SPECIES, mass, i))
          .intoArray(mass, i);
    }
  }
}
