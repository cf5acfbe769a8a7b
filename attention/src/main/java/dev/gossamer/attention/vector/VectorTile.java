package dev.gossamer.attention.vector;

import java.util.Arrays;

/**
 * Attention of a few queries to any list of rows: products, online softmax and weighted sums, block
 * by block, so that the scores of a block stay in the cache and never anywhere else. Queries lie
 * side by side in vectors; keys and values are read where they are.
 *
 * <p>Scratch memory for one thread at a time, kept between calls. The result of a query depends on
 * the order of the listed rows, not on the other queries of its tile.
 */
public final class VectorTile {
  /** The most queries of a tile. With 16 registers, both threes of vectors and sixes of queries. */
  public static final int MOST_QUERIES = VectorKernels.REGISTERS == 16 ? 48 : 64;

  // Rows. Their scores take 24 KiB with 16 registers, where the nearest cache has 32, or 64 KiB.
  private static final int BLOCK = VectorKernels.REGISTERS == 16 ? 128 : 256;

  private final int headDim;
  private final int columns;
  private final float[] across;
  private final float[] scores = new float[BLOCK * MOST_QUERIES];
  private final float[] maxima = new float[MOST_QUERIES];
  private final float[] weights = new float[MOST_QUERIES];
  private final float[] keep = new float[MOST_QUERIES];
  private final float[] sums;
  private int queries;
  private int width;

  /**
   * @param headDim columns of a query and of a key
   */
  public VectorTile(int headDim) {
    this.headDim = headDim;
    this.columns = VectorKernels.padded(headDim);
    this.across = new float[headDim * MOST_QUERIES];
    this.sums = new float[MOST_QUERIES * columns];
  }

  /**
   * Whether the arrays of a head of so many tokens, and one point for each of them, can be indexed:
   * at most 2^28 numbers, about a million tokens of 128 columns.
   */
  public static boolean fits(long tokens, long headDim) {
    return 2 * tokens * (headDim + VectorKernels.LANES) <= VectorShapes.LONGEST;
  }

  /** Distance from one row of keys or values to the next: {@code headDim}, padded with zeros. */
  public static int stride(int headDim) {
    return VectorKernels.padded(headDim);
  }

  /** Length of a list of {@code rows} rows: {@link #attend} may read a few more. */
  public static int listLength(int rows) {
    return VectorKernels.paddedRows(rows);
  }

  public int headDim() {
    return headDim;
  }

  /**
   * Takes other queries and forgets what was attended to.
   *
   * @param rows queries, {@code headDim} numbers each, one after the other
   * @param order which rows
   * @param from first of them in {@code order}
   * @param count at most {@link #MOST_QUERIES}
   * @param scale factor of all logits
   */
  public void queries(float[] rows, int[] order, int from, int count, float scale) {
    queries = count;
    width = VectorKernels.paddedTile(count);
    for (int query = 0; query < count; query++) {
      int at = order[from + query] * headDim;
      for (int i = 0; i < headDim; i++) {
        across[i * width + query] = rows[at + i] * scale;
      }
    }
    for (int i = 0; i < headDim; i++) {
      Arrays.fill(across, i * width + count, (i + 1) * width, 0);
    }
    Arrays.fill(maxima, 0, width, VectorKernels.UNSEEN);
    Arrays.fill(weights, 0, width, 0);
    Arrays.fill(sums, 0, width * columns, 0);
  }

  /**
   * Attends to more rows.
   *
   * @param keys rows of {@link #stride} numbers; likewise values
   * @param at where rows begin, at least {@link #listLength} of them, the last few any valid row
   * @param count how many rows
   * @param biased first row, counted in {@code at}, that has a bias
   * @param bias added to the logits of row {@code biased + i}
   */
  public void attend(float[] keys, float[] values, int[] at, int count, int biased, float[] bias) {
    for (int from = 0; from < count; from += BLOCK) {
      int rows = Math.min(BLOCK, count - from);
      VectorKernels.products(
          keys, at, from, VectorKernels.paddedRows(rows), headDim, across, width, scores);
      for (int row = Math.max(from, biased); row < from + rows; row++) {
        VectorKernels.add(scores, (row - from) * width, width, bias[row - biased]);
      }
      VectorKernels.columnExps(scores, rows, width, maxima, weights, keep);
      VectorKernels.weightedSums(
          scores, width, queries, values, at, from, rows, columns, keep, sums);
    }
  }

  /** The same without bias. */
  public void attend(float[] keys, float[] values, int[] at, int count) {
    attend(keys, values, at, count, count, new float[0]);
  }

  /**
   * Writes the outputs; zeros for a query that has attended to nothing.
   *
   * @param out rows of {@code headDim} numbers
   * @param order row of each query
   * @param from of the first, in {@code order}
   */
  public void write(float[] out, int[] order, int from) {
    for (int query = 0; query < queries; query++) {
      float share = weights[query] == 0 ? 0 : 1 / weights[query];
      int to = order[from + query] * headDim;
      int row = query * columns;
      for (int i = 0; i < headDim; i++) {
        out[to + i] = sums[row + i] * share;
      }
    }
  }
}
