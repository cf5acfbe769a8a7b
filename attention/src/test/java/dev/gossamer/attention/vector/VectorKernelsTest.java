package dev.gossamer.attention.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each loop against plain ones in float64. */
class VectorKernelsTest {
  @BeforeAll
  static void vectors() {
    assumeTrue(VectorApi.available(), () -> VectorApi.whyNot().orElse(""));
  }

  private static float[] normal(long seed, int count) {
    Random random = new Random(seed);
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    return numbers;
  }

  private static int[] offsets(long seed, int count, int rows, int stride) {
    return new Random(seed).ints(count, 0, rows).map(row -> row * stride).toArray();
  }

  @ParameterizedTest
  @CsvSource({"8, 64, 1", "8, 1, 2", "24, 36, 3", "64, 128, 4", "16, 96, 5", "8, 33, 8"})
  void productsAreSumsOverTheDepth(int count, int depth, int vectors) {
    int width = vectors * VectorKernels.LANES;
    float[] rows = normal(1, 50 * depth);
    float[] across = normal(2, depth * width);
    int[] at = offsets(3, count + 3, 50, depth);
    float[] out = new float[count * width];
    VectorKernels.products(rows, at, 3, count, depth, across, width, out);
    for (int i = 0; i < count; i++) {
      for (int c = 0; c < width; c++) {
        double sum = 0;
        for (int t = 0; t < depth; t++) {
          sum += (double) rows[at[3 + i] + t] * across[t * width + c];
        }
        assertThat((double) out[i * width + c]).isCloseTo(sum, within(1e-4));
      }
    }
  }

  /** Whatever the processor has: both sets of shapes, over all remainders that they leave. */
  @ParameterizedTest
  @CsvSource({"8, 8, 1", "16, 64, 2", "24, 1, 3", "8, 80, 4", "40, 36, 5", "16, 160, 7", "8, 9, 8"})
  void productsAreTheSameInEveryShape(int count, int depth, int vectors) {
    int width = vectors * VectorKernels.LANES;
    float[] rows = normal(1, 50 * depth);
    float[] across = normal(2, depth * width);
    across[width / 2] = Float.NaN;
    int[] at = offsets(3, count, 50, depth);
    float[] of32 = new float[count * width];
    float[] of16 = new float[count * width];
    VectorShapes.productsOf32(rows, at, 0, count, depth, across, width, of32);
    VectorShapes.productsOf16(rows, at, 0, count, depth, across, width, of16);
    assertThat(of16).containsExactly(of32);
    assertThat(of16[width / 2]).isNaN();
    assertThat(of16[width / 2 - 1]).isNotNaN().isNotZero();
  }

  @ParameterizedTest
  @CsvSource({
    "8, 1, 1",
    "16, 37, 2",
    "24, 5, 1",
    "32, 128, 3",
    "48, 50, 8",
    "56, 3, 5",
    "64, 0, 2",
    "0, 9, 2",
    "1, 9, 2",
    "5, 37, 2",
    "14, 12, 4",
    "21, 5, 3",
    "26, 40, 1",
    "36, 128, 8",
    "43, 7, 2"
  })
  void weightedSumsAreTheSameInEveryShape(int queries, int count, int vectors) {
    int columns = vectors * VectorKernels.LANES;
    int width = VectorKernels.paddedTile(queries);
    float[] weights = normal(1, count * width);
    float[] values = normal(2, 60 * columns);
    values[3] = Float.NaN;
    int[] at = offsets(3, count, 60, columns);
    float[] before = normal(4, VectorKernels.paddedRows(queries) * columns);
    float[] of32 = before.clone();
    float[] of16 = before.clone();
    VectorShapes.sumsOf32(weights, width, queries, values, at, 0, count, columns, of32);
    VectorShapes.sumsOf16(weights, width, queries, values, at, 0, count, columns, of16);
    // Rows behind the last query are free.
    float[] found = Arrays.copyOf(of16, queries * columns);
    assertThat(found).containsExactly(Arrays.copyOf(of32, queries * columns));
    if (count > 0 && queries > 0) {
      assertThat(found).isNotEqualTo(Arrays.copyOf(before, queries * columns));
    }
    if (queries == 0) {
      assertThat(of16).containsExactly(before);
    }
  }

  @ParameterizedTest
  @CsvSource({"8, 1, 1", "16, 37, 2", "40, 256, 3", "8, 0, 2", "5, 33, 2", "43, 129, 8"})
  void weightedSumsKeepAndAdd(int queries, int count, int vectors) {
    int columns = vectors * VectorKernels.LANES;
    int width = VectorKernels.paddedTile(queries);
    float[] weights = normal(1, count * width);
    float[] values = normal(2, 60 * columns);
    int[] at = offsets(3, count + 2, 60, columns);
    float[] keep = normal(4, queries);
    float[] before = normal(5, VectorKernels.paddedRows(queries) * columns);
    float[] sums = before.clone();
    VectorKernels.weightedSums(weights, width, queries, values, at, 2, count, columns, keep, sums);
    for (int q = 0; q < queries; q++) {
      for (int c = 0; c < columns; c++) {
        double sum = (double) keep[q] * before[q * columns + c];
        for (int i = 0; i < count; i++) {
          sum += (double) weights[i * width + q] * values[at[2 + i] + c];
        }
        assertThat((double) sums[q * columns + c]).isCloseTo(sum, within(1e-4));
      }
    }
  }

  @Test
  void exponentialsAreRightToTheLastDigits() {
    int count = 1 << 20;
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = -87f * i / (count - 1);
    }
    float[] e = x.clone();
    VectorKernels.exps(e);
    double worst = 0;
    for (int i = 0; i < count; i++) {
      double exact = Math.exp(x[i]);
      worst = Math.max(worst, Math.abs(e[i] - exact) / exact);
    }
    assertThat(worst).isLessThan(2e-7);
    assertThat(e[0]).isEqualTo(1f);
  }

  @Test
  void farExponentialsAreNearlyZeroAndNaNShows() {
    float[] x = new float[4 * VectorKernels.LANES];
    x[1] = -88;
    x[2] = -1e30f;
    x[3] = -Float.MAX_VALUE;
    x[4] = Float.NaN;
    x[5] = -0.0f;
    x[6] = -Float.MIN_VALUE;
    VectorKernels.exps(x);
    assertThat(x[1]).isBetween(0f, 2e-38f);
    assertThat(x[2]).isBetween(0f, 2e-38f);
    assertThat(x[3]).isBetween(0f, 2e-38f);
    assertThat(x[4]).isNaN();
    assertThat(x[5]).isEqualTo(1f);
    assertThat(x[6]).isEqualTo(1f);
  }

  /** In one block or in several, down columns. */
  @ParameterizedTest
  @CsvSource({"1, 1", "7, 7", "50, 50", "50, 13", "50, 1"})
  void columnsBecomeASoftmax(int count, int block) {
    int width = 2 * VectorKernels.LANES;
    float[] scores = normal(1, count * width);
    for (int i = 0; i < scores.length; i++) {
      scores[i] *= 10;
    }
    float[] maxima = new float[width];
    Arrays.fill(maxima, VectorKernels.UNSEEN);
    float[] sums = new float[width];
    float[] keep = new float[width];
    double[] kept = new double[width]; // the sum of all weights, carried along as an output is
    for (int from = 0; from < count; from += block) {
      int rows = Math.min(block, count - from);
      float[] part = Arrays.copyOfRange(scores, from * width, (from + rows) * width);
      VectorKernels.columnExps(part, rows, width, maxima, sums, keep);
      for (int c = 0; c < width; c++) {
        kept[c] *= keep[c];
        for (int i = 0; i < rows; i++) {
          kept[c] += part[i * width + c];
        }
      }
    }
    for (int c = 0; c < width; c++) {
      double most = Double.NEGATIVE_INFINITY;
      for (int i = 0; i < count; i++) {
        most = Math.max(most, scores[i * width + c]);
      }
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += Math.exp(scores[i * width + c] - most);
      }
      assertThat((double) maxima[c]).isEqualTo(most);
      assertThat(sums[c] / sum).isCloseTo(1, within(2e-6));
      assertThat(kept[c] / sum).isCloseTo(1, within(2e-6));
    }
  }

  @Test
  void theLargestWinsAndTheFirstOfEquals() {
    int width = 4 * VectorKernels.LANES;
    float[] lanes = new float[2 * VectorKernels.LANES];
    float[] scores = new float[2 * width];
    float[] bias = new float[width];
    Arrays.fill(bias, width - 3, width, VectorKernels.UNSEEN);
    assertThat(VectorKernels.argmax(scores, width, width, bias, lanes)).isZero();
    scores[width + 7] = 2;
    scores[width + 7 + VectorKernels.LANES] = 2;
    scores[width + 6 + 2 * VectorKernels.LANES] = 2;
    scores[2 * width - 1] = 9; // kept out by its bias
    assertThat(VectorKernels.argmax(scores, width, width, bias, lanes)).isEqualTo(7);
    bias[3] = 5;
    assertThat(VectorKernels.argmax(scores, width, width, bias, lanes)).isEqualTo(3);
    Arrays.fill(scores, Float.NaN);
    assertThat(VectorKernels.argmax(scores, width, width, bias, lanes)).isZero();
  }

  @Test
  void softmaxOfARowAddsUp() {
    int width = 3 * VectorKernels.LANES;
    int columns = width - 2;
    float[] scores = normal(1, 2 * width);
    float[] bias = normal(2, width);
    Arrays.fill(bias, columns, width, VectorKernels.UNSEEN);
    float[] mass = new float[width];
    mass[0] = 1;
    double[] expected = new double[columns];
    double sum = 0;
    for (int c = 0; c < columns; c++) {
      expected[c] = Math.exp(scores[width + c] + bias[c]);
      sum += expected[c];
    }
    float[] lanes = new float[VectorKernels.LANES];
    VectorKernels.addSoftmax(scores, width, width, bias, mass, lanes, lanes.clone());
    for (int c = 0; c < columns; c++) {
      assertThat((double) mass[c]).isCloseTo(expected[c] / sum + (c == 0 ? 1 : 0), within(1e-6));
    }
    assertThat(mass[width - 1]).isBetween(0f, 1e-30f);
  }

  /** Java's own checks are off: these are all there are. */
  @Test
  void nothingIsReadOrWrittenOutside() {
    int lanes = VectorKernels.LANES;
    float[] rows = new float[64];
    int[] at = new int[8];
    assertThatThrownBy(
            () -> VectorKernels.products(rows, at, 0, 8, 8, new float[7 * lanes], lanes, rows))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(
            () -> VectorKernels.products(rows, at, 0, 8, 1, new float[lanes], lanes, new float[9]))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(
            () -> VectorKernels.products(rows, at, 1, 8, 1, new float[lanes], lanes, rows))
        .isInstanceOf(IndexOutOfBoundsException.class);
    int[] far = new int[8];
    far[3] = 64 - lanes + 1;
    float[] some = new float[8 * Math.max(8, lanes)];
    assertThatThrownBy(
            () ->
                VectorKernels.weightedSums(
                    some, Math.max(8, lanes), 8, rows, far, 0, 8, lanes, new float[8], some))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> VectorKernels.add(rows, 64 - lanes + 1, lanes, 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
