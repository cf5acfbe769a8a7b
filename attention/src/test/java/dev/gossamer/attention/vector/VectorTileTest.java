package dev.gossamer.attention.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.Tokens;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A tile of queries over listed rows, against the oracle. */
class VectorTileTest {
  @BeforeAll
  static void vectors() {
    assumeTrue(VectorApi.available(), () -> VectorApi.whyNot().orElse(""));
  }

  private static float[] rows(double[][] tokens, int stride) {
    float[] rows = new float[tokens.length * stride];
    for (int i = 0; i < tokens.length; i++) {
      for (int t = 0; t < tokens[i].length; t++) {
        rows[i * stride + t] = (float) tokens[i][t];
      }
    }
    return rows;
  }

  private static int[] list(int stride, int... picks) {
    int[] at = new int[VectorTile.listLength(picks.length)];
    for (int i = 0; i < picks.length; i++) {
      at[i] = picks[i] * stride;
    }
    return at;
  }

  private static double[][] attend(double[][] q, double[][] k, double[][] v, int[] picks) {
    int headDim = q[0].length;
    int stride = VectorTile.stride(headDim);
    VectorTile tile = new VectorTile(headDim);
    int[] order = IntStream.range(0, q.length).toArray();
    float[] out = new float[q.length * headDim];
    // Others first: nothing of them may be left.
    tile.queries(rows(k, headDim), order, 0, 1, 1);
    tile.attend(rows(k, stride), rows(v, stride), list(stride, 0), 1);
    tile.queries(rows(q, headDim), order, 0, q.length, (float) (1 / Math.sqrt(headDim)));
    tile.attend(rows(k, stride), rows(v, stride), list(stride, picks), picks.length);
    tile.write(out, order, 0);
    double[][] rows = new double[q.length][headDim];
    for (int i = 0; i < q.length; i++) {
      for (int t = 0; t < headDim; t++) {
        rows[i][t] = out[i * headDim + t];
      }
    }
    return rows;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 64",
    "7, 9, 64",
    "24, 129, 160",
    "40, 127, 80",
    "48, 1000, 64",
    "33, 257, 128",
    "48, 256, 96",
    "17, 700, 36",
    "5, 31, 8"
  })
  void isTheSoftmaxOfAllScores(int queries, int keys, int headDim) {
    double[][] q = Tokens.normal(1, queries, headDim);
    double[][] k = Tokens.normal(2, keys, headDim);
    double[][] v = Tokens.normal(3, keys, headDim);
    int[] all = IntStream.range(0, keys).toArray();
    assertThat(PlainAttention.worstRow(attend(q, k, v, all), PlainAttention.dense(q, k, v)))
        .isLessThan(2e-6);
  }

  /** Logits of hundreds, that overflow unless the maximum is taken away. */
  @Test
  void survivesLargeLogits() {
    double[][] q = Tokens.normal(1, 20, 64);
    double[][] k = Tokens.normal(2, 600, 64);
    double[][] v = Tokens.normal(3, 600, 64);
    for (double[] row : q) {
      for (int t = 0; t < row.length; t++) {
        row[t] *= 100;
      }
    }
    int[] all = IntStream.range(0, 600).toArray();
    assertThat(PlainAttention.worstRow(attend(q, k, v, all), PlainAttention.dense(q, k, v)))
        .isLessThan(1e-4);
  }

  @Test
  void nothingAttendedToIsZero() {
    double[][] one = Tokens.normal(1, 3, 16);
    assertThat(attend(one, one, one, new int[0])).isDeepEqualTo(new double[3][16]);
  }

  @Test
  void aNaNOfOneQueryStaysItsOwn() {
    double[][] q = Tokens.normal(1, 10, 64);
    double[][] k = Tokens.normal(2, 40, 64);
    q[4][7] = Double.NaN;
    double[][] out = attend(q, k, k, IntStream.range(0, 40).toArray());
    for (int i = 0; i < q.length; i++) {
      assertThat(Arrays.stream(out[i]).anyMatch(Double::isNaN)).isEqualTo(i == 4);
    }
  }

  @Test
  void aNaNOfAKeyShowsInEveryQuery() {
    double[][] q = Tokens.normal(1, 10, 64);
    double[][] k = Tokens.normal(2, 40, 64);
    double[][] v = Tokens.normal(3, 40, 64);
    k[4][7] = Double.NaN;
    for (double[] row : attend(q, k, v, IntStream.range(0, 40).toArray())) {
      assertThat(Arrays.stream(row).allMatch(Double::isNaN)).isTrue();
    }
  }
}
