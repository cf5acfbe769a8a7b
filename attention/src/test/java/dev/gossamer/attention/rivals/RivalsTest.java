package dev.gossamer.attention.rivals;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.MadeUpVideo;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RivalsTest {
  private static final MadeUpVideo VIDEO = MadeUpVideo.of(1000, 1, 1, 1, 1);

  private static AttentionReport report(String name) {
    AttentionMethod method =
        AttentionCatalog.create(
            name,
            AttentionOptions.defaults()
                .withSetting("minTokens", "0")
                .withSetting("denseSteps", "0"));
    try (Threads threads = new Threads(1);
        AttentionSession session = method.open(VIDEO.plan(0, Set.of(0), true), threads);
        Scope scope = Scope.open()) {
      VIDEO.attend(session, DType.FLOAT32, 0, 0, 0);
      return session.report();
    }
  }

  @Test
  void spargeTakesBlocksOfNeighbours() {
    AttentionReport.ClusterLabels labels = report("sparge").labels().get(0);
    int[] blocks = IntStream.range(0, 1000).map(token -> token / 64).toArray();
    assertThat(labels.queries()).isEqualTo(blocks);
    assertThat(labels.keys()).isEqualTo(blocks);
  }

  @Test
  void svg2ClustersBothSidesInUniformNumbers() {
    AttentionReport.Call call = report("svg2").calls().get(0);
    assertThat(call.queryClusters()).isBetween(10, 65);
    assertThat(call.keyClusters()).isBetween(50, 200);
  }

  /** A quarter of the keys, and what the last cluster overshoots. */
  @Test
  void bothSpendTheirBudgetWithoutATail() {
    for (String name : new String[] {"svg2", "sparge"}) {
      AttentionReport.Call call = report(name).calls().get(0);
      assertThat(call.density()).isBetween(0.25, 0.25 + 64 / 1000.0);
      assertThat(call.pseudoKeys()).isZero();
      assertThat(call.recall()).isGreaterThan(call.density());
    }
  }
}
