package dev.gossamer.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CausalProductTest {
  private static final int WIDTH = 8;
  private static final double SCALE = 0.4;

  /** Numbers of one pass and its way back. */
  private record Result(Tensor output, Tensor ofQ, Tensor ofK, Tensor ofV) {}

  @ParameterizedTest
  @CsvSource({"1, 1, 1, 1", "2, 7, 4, 2", "3, 130, 2, 2", "2, 300, 6, 2"})
  void headsAtOnceEqualHeadByHead(int sequences, int tokens, int heads, int kvHeads) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.named("causal", 1);
        Threads threads = new Threads(1)) {
      Rows rows = Rows.whole(sequences, tokens, 0);
      Tensor q = numbers(generator, rows.total(), heads);
      Tensor k = numbers(generator, rows.total(), kvHeads);
      Tensor v = numbers(generator, rows.total(), kvHeads);
      Tensor ofOutput = numbers(generator, rows.total(), heads);
      Result alone = headByHead(rows, threads, q, k, v, ofOutput);
      Result together = together(rows, q, k, v, ofOutput);
      assertThat(alone.output().square().sum().item()).isPositive();
      requireEqual(together.output(), alone.output());
      requireEqual(together.ofQ(), alone.ofQ());
      requireEqual(together.ofK(), alone.ofK());
      requireEqual(together.ofV(), alone.ofV());
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "5, 6, 3", "200, 4, 1"})
  void aLastTokensHeadsAtOnceEqualHeadByHead(int tokens, int heads, int kvHeads) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.named("last", 1)) {
      Tensor q = numbers(generator, 1, heads);
      Tensor keys = numbers(generator, tokens, kvHeads).transpose(0, 1);
      Tensor values = numbers(generator, tokens, kvHeads).transpose(0, 1);
      Tensor alone = Tensor.zeros(q.dtype(), q.shape());
      for (int head = 0; head < heads; head++) {
        int kv = head / (heads / kvHeads);
        CausalProduct.forward(
            alone.select(1, head),
            q.select(1, head),
            keys.select(0, kv),
            values.select(0, kv),
            SCALE);
      }
      Tensor together = Tensor.zeros(q.dtype(), q.shape());
      CausalProduct.ofLast(
          together.reshape(kvHeads, -1, WIDTH), q.reshape(kvHeads, -1, WIDTH), keys, values, SCALE);
      assertThat(alone.square().sum().item()).isPositive();
      requireEqual(together, alone);
    }
  }

  @ParameterizedTest
  @CsvSource({"256, 256, 1024", "64, 4096, 256", "4096, 4096, 128", "1, 1, 67108864"})
  void aCardsTileHoldsSoManyScores(long heads, long keys, long tile) {
    try (Scope scope = Scope.open()) {
      Tensor rows = Tensor.zeros(DType.FLOAT32, heads, keys, 1);
      assertThat(CausalProduct.cardTile(rows, rows)).isEqualTo(tile);
    }
  }

  private static Result headByHead(
      Rows rows, Threads threads, Tensor q, Tensor k, Tensor v, Tensor ofOutput) {
    Result result = empty(q, k, v);
    int group = (int) (q.size(1) / k.size(1));
    rows.eachHead(
        (int) q.size(1),
        threads,
        (span, number, head) -> {
          int kv = head / group;
          CausalProduct.forward(
              span.of(result.output(), head),
              span.of(q, head),
              span.of(k, kv),
              span.of(v, kv),
              SCALE);
          CausalProduct.backward(
              span.of(result.ofQ(), head),
              span.of(result.ofK(), kv),
              span.of(result.ofV(), kv),
              span.of(q, head),
              span.of(k, kv),
              span.of(v, kv),
              SCALE,
              span.of(result.output(), head),
              span.of(ofOutput, head));
        });
    return result;
  }

  private static Result together(Rows rows, Tensor q, Tensor k, Tensor v, Tensor ofOutput) {
    Result result = empty(q, k, v);
    AttentionSettings.Grouped settings =
        AttentionSettings.of((int) q.size(1), WIDTH).withKvHeads((int) k.size(1));
    CausalAttention.eachMember(
        rows,
        settings,
        (queries, keys) -> {
          CausalProduct.forward(
              queries.apply(result.output()),
              queries.apply(q),
              keys.apply(k),
              keys.apply(v),
              SCALE);
          CausalProduct.backward(
              queries.apply(result.ofQ()),
              keys.apply(result.ofK()),
              keys.apply(result.ofV()),
              queries.apply(q),
              keys.apply(k),
              keys.apply(v),
              SCALE,
              queries.apply(result.output()),
              queries.apply(ofOutput));
        });
    return result;
  }

  private static Result empty(Tensor q, Tensor k, Tensor v) {
    return new Result(
        Tensor.zeros(DType.FLOAT64, q.shape()),
        Tensor.zeros(DType.FLOAT64, q.shape()),
        Tensor.zeros(DType.FLOAT64, k.shape()),
        Tensor.zeros(DType.FLOAT64, v.shape()));
  }

  private static Tensor numbers(Generator generator, int rows, int heads) {
    return generator.normal(rows, heads, WIDTH).to(DType.FLOAT64);
  }

  private static void requireEqual(Tensor some, Tensor other) {
    assertThat(some.sub(other).square().sum().item()).isCloseTo(0, within(1e-20));
  }

  @Test
  void onlyWholeSequencesOfOneLengthAreAlike() {
    assertThat(Rows.whole(3, 5, 0).areAlike()).isTrue();
    try (KeyValueCache cache = new KeyValueCache(1, 8)) {
      assertThat(Rows.further(List.of(cache), new int[] {2}).areAlike()).isFalse();
    }
  }
}
