package dev.gossamer.attention;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Random;
import java.util.SplittableRandom;

/**
 * Made-up tokens, the same for the same seed, and the way between tensors and the rows that the
 * oracles read. Rows are {@code [tokens][width]}; tensors belong to the current scope.
 */
public final class Tokens {
  private Tokens() {}

  /** Independent standard normal numbers. */
  public static double[][] normal(long seed, int tokens, int width) {
    SplittableRandom random = new SplittableRandom(seed);
    double[][] rows = new double[tokens][width];
    for (double[] row : rows) {
      for (int t = 0; t < width; t++) {
        row[t] = (float) random.nextGaussian();
      }
    }
    return rows;
  }

  /**
   * Groups of neighbouring tokens around common centres, as in a video: centres of about the given
   * length, and noise around them.
   *
   * @param centre standard deviation of a centre's coordinates
   * @param noise standard deviation of a token's coordinates around its centre
   */
  public static double[][] grouped(
      long seed, int tokens, int width, int groups, double centre, double noise) {
    double[][] centres = normal(seed, groups, width);
    double[][] rows = normal(seed + 1, tokens, width);
    for (int i = 0; i < tokens; i++) {
      double[] at = centres[(int) ((long) i * groups / tokens)];
      for (int t = 0; t < width; t++) {
        rows[i][t] = (float) (centre * at[t] + noise * rows[i][t]);
      }
    }
    return rows;
  }

  /** {@code rows + amount * other}: the tokens of a later step, for example. */
  public static double[][] moved(double[][] rows, double amount, double[][] other) {
    double[][] moved = new double[rows.length][rows[0].length];
    for (int i = 0; i < rows.length; i++) {
      for (int t = 0; t < rows[i].length; t++) {
        moved[i][t] = (float) (rows[i][t] + amount * other[i][t]);
      }
    }
    return moved;
  }

  /** A row per token that holds 1 at its label's place. */
  public static double[][] indicators(int[] labels, int width) {
    double[][] rows = new double[labels.length][width];
    for (int i = 0; i < labels.length; i++) {
      rows[i][labels[i]] = 1;
    }
    return rows;
  }

  /** float32 {@code [tokens, width]}. */
  public static Tensor tensor(double[][] rows) {
    int width = rows[0].length;
    float[] flat = new float[rows.length * width];
    for (int i = 0; i < rows.length; i++) {
      for (int t = 0; t < width; t++) {
        flat[i * width + t] = (float) rows[i][t];
      }
    }
    return Tensor.of(flat, rows.length, width);
  }

  /** {@code [1, heads, tokens, width]} of a type. */
  public static Tensor heads(DType dtype, double[][]... heads) {
    return Tensor.stack(0, java.util.Arrays.stream(heads).map(Tokens::tensor).toList())
        .unsqueeze(0)
        .to(dtype);
  }

  /** The rows of a matrix. */
  public static double[][] rows(Tensor matrix) {
    int width = (int) matrix.size(1);
    double[] flat = matrix.toDoubles();
    double[][] rows = new double[(int) matrix.size(0)][width];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(flat, i * width, rows[i], 0, width);
    }
    return rows;
  }

  /** The rows of one head of {@code [batch, heads, tokens, width]}. */
  public static double[][] rows(Tensor tensor, int batch, int head) {
    return rows(tensor.select(0, batch).select(0, head));
  }

  /** The rows as a type would hold them. */
  public static double[][] rounded(double[][] rows, DType dtype) {
    try (Scope scope = Scope.open()) {
      return rows(tensor(rows).to(dtype));
    }
  }

  /** Random labels in [0, clusters), of which some may not occur. */
  public static int[] labels(long seed, int tokens, int clusters) {
    Random random = new Random(seed);
    return random.ints(tokens, 0, clusters).toArray();
  }

  /** Labels in random order that give clusters of the wanted sizes. */
  public static int[] labelsOfSizes(long seed, int... sizes) {
    int[] labels = new int[java.util.Arrays.stream(sizes).sum()];
    int at = 0;
    for (int cluster = 0; cluster < sizes.length; cluster++) {
      java.util.Arrays.fill(labels, at, at + sizes[cluster], cluster);
      at += sizes[cluster];
    }
    Random random = new Random(seed);
    for (int i = labels.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int label = labels[i];
      labels[i] = labels[j];
      labels[j] = label;
    }
    return labels;
  }
}
