package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DenseAttentionTest {
  /** Rounding of the type, on inputs that the type holds. */
  @ParameterizedTest
  @CsvSource({
    "FLOAT64, 1e-13",
    "FLOAT32, 2e-6",
    "FLOAT16, 1e-3",
    "BFLOAT16, 2e-2",
  })
  void isTheSoftmaxOfAllScores(DType dtype, double tolerance) {
    for (int tokens : new int[] {1, 7, 64, 1000}) {
      MadeUpVideo video = MadeUpVideo.of(tokens, 2, 1, 1, 1);
      try (Scope scope = Scope.open();
          Threads threads = new Threads(2);
          AttentionSession session = new DenseAttention().open(video.plan(), threads)) {
        Tensor output = video.attend(session, dtype, 0, 0, 0);
        assertThat(
                PlainAttention.worstRow(Tokens.rows(output, 0, 1), video.dense(dtype, 0, 0, 0, 1)))
            .as(tokens + " tokens")
            .isLessThan(tolerance);
      }
    }
  }

  /** More tokens than one strip of bf16 rows has, and not a multiple of it. */
  @Test
  void stripsOfBf16AddUpToTheWhole() {
    MadeUpVideo video = MadeUpVideo.of(2305, 1, 1, 1, 1);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new DenseAttention().open(video.plan(), threads)) {
      Tensor output = video.attend(session, DType.BFLOAT16, 0, 0, 0);
      Tensor exact =
          Tokens.heads(DType.FLOAT32, Tokens.rounded(video.query(0, 0, 0, 0), DType.BFLOAT16))
              .scaledDotProductAttention(
                  video.keys(DType.BFLOAT16, 0, 0, 0).to(DType.FLOAT32),
                  video.values(DType.BFLOAT16, 0, 0, 0).to(DType.FLOAT32),
                  null,
                  1 / 8.0);
      assertThat(PlainAttention.worstRow(Tokens.rows(output, 0, 0), Tokens.rows(exact, 0, 0)))
          .isLessThan(2e-2);
    }
  }

  @Test
  void reportsFullDensity() {
    MadeUpVideo video = MadeUpVideo.of(64, 1, 1, 1, 1);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = new DenseAttention().open(video.plan(), threads)) {
      video.attend(session, DType.FLOAT32, 0, 0, 0);
      AttentionReport.Call call = session.report().calls().get(0);
      assertThat(call.dense()).isEqualTo("method");
      assertThat(call.density()).isEqualTo(1);
      assertThat(call.recall()).isEqualTo(1);
      assertThat(session.report().labels()).isEmpty();
    }
  }
}
