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

  /** Vectors that the processor holds: 16 with AVX2, 32 with AVX-512 and NEON. */
  public static final int REGISTERS = LANES == 8 ? 16 : 32;

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
    if (REGISTERS == 16) {
      check(across.length <= VectorShapes.LONGEST, "across");
      VectorShapes.productsOf16(rows, at, first, count, depth, across, width, out);
    } else {
      VectorShapes.productsOf32(rows, at, first, count, depth, across, width, out);
    }
  }

  /**
   * {@code sums[q][c] = keep[q] * sums[q][c] + sum over i of weights[i][q] * values[at[first + i] +
   * c]}.
   *
   * @param weights {@code [count][width]}
   * @param queries rows of {@code sums}, at most {@code width}; what lies in rows behind them, up
   *     to the next multiple of {@link #ROWS}, is free
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
    check(paddedRows(queries) <= width && columns % LANES == 0, "queries or columns");
    Objects.checkFromIndexSize(first, count, at.length);
    Objects.checkFromIndexSize(0, Math.multiplyExact(count, width), weights.length);
    Objects.checkFromIndexSize(0, Math.multiplyExact(paddedRows(queries), columns), sums.length);
    Objects.checkFromIndexSize(0, queries, keep.length);
    check(Math.max(values.length, weights.length) <= VectorShapes.LONGEST, "values or weights");
    int last = values.length - columns;
    for (int i = first; i < first + count; i++) {
      check(at[i] >= 0 && at[i] <= last, "a row of values");
    }
    scale(sums, queries, columns, keep);
    if (REGISTERS == 16) {
      VectorShapes.sumsOf16(weights, width, queries, values, at, first, count, columns, sums);
    } else {
      VectorShapes.sumsOf32(weights, width, queries, values, at, first, count, columns, sums);
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
    FloatVector summands = all(summand); // once: where calls stay calls, it is an object
    for (int i = from; i < from + width; i += LANES) {
      FloatVector.fromArray(SPECIES, numbers, i).add(summands).intoArray(numbers, i);
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
