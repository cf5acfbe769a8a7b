package dev.gossamer.bench.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import org.junit.jupiter.api.Test;

class CapturedHeadsTest {
  private final CapturedHeads captured = CapturedHeads.open();

  @Test
  void everyHeadHasItsTokens() {
    try (Scope scope = Scope.open()) {
      for (CapturedHead head : CapturedHead.values()) {
        QueryKeyValue whole = captured.load(head, head.tokens(), 1, DType.BFLOAT16);
        assertThat(whole.query().shape()).containsExactly(1, 1, head.tokens(), 64);
        assertThat(whole.key().isFinite().all().isTrue()).isTrue();
        assertThat(whole.value().isFinite().all().isTrue()).isTrue();
      }
    }
  }

  @Test
  void headsAreSharpAndDiffuseAsTheyAreCalled() {
    try (Scope scope = Scope.open()) {
      assertThat(keysForNineTenths(CapturedHead.SHARP)).isBetween(90.0, 120.0);
      assertThat(keysForNineTenths(CapturedHead.DIFFUSE)).isBetween(1550.0, 1720.0);
    }
  }

  /** Mean number of keys that hold 90 % of a query's weight. */
  private double keysForNineTenths(CapturedHead head) {
    QueryKeyValue all = captured.load(head, head.tokens(), 1, DType.FLOAT32);
    Tensor queries = all.query().every(2, 0, 17).select(0, 0).select(0, 0);
    Tensor keys = all.key().select(0, 0).select(0, 0);
    Tensor weights = queries.matmul(keys.transpose(0, 1)).mul(0.125).softmax(-1);
    Tensor order = weights.argsort(1, true);
    Tensor reached = weights.gather(1, order).cumsum(1).lt(0.9);
    return reached.to(DType.FLOAT32).sum(false, 1).add(1).mean().item();
  }

  @Test
  void copiesOfAHeadAreEqual() {
    try (Scope scope = Scope.open()) {
      Tensor query = captured.load(CapturedHead.SHARP, 256, 3, DType.BFLOAT16).query();
      assertThat(query.shape()).containsExactly(1, 3, 256, 64);
      assertThat(query.select(1, 2).eq(query.select(1, 0)).all().isTrue()).isTrue();
    }
  }

  @Test
  void aBeginningIsMadeOfWholeFrames() {
    assertThat(CapturedHead.LARGE.prefix(2048).frames()).isEqualTo(2);
    assertThatThrownBy(() -> CapturedHead.LARGE.prefix(1000))
        .hasMessageContaining("1 to 16 frames of 1024");
  }
}
