package dev.gossamer.attention.clusters;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.PlainKMeans;
import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.Scope;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClusterLayoutTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 7, 64, 1000, 2305})
  void sortsTokensByLabelAndKeepsTheirOrderInside(int tokens) {
    int clusters = 13;
    int[] labels = Tokens.labels(tokens, tokens, clusters);
    try (Scope scope = Scope.open()) {
      int[] expected =
          IntStream.range(0, tokens)
              .boxed()
              .sorted(java.util.Comparator.comparingInt(token -> labels[token])) // stable
              .mapToInt(Integer::intValue)
              .toArray();
      assertThat(ClusterLayout.of(labels, clusters).order().toInts()).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 64, 1000, 2305})
  void inverseUndoesTheOrder(int tokens) {
    ClusterLayout layout = ClusterLayout.of(Tokens.labels(2, tokens, 9), 9);
    try (Scope scope = Scope.open()) {
      int[] order = layout.order().toInts();
      int[] inverse = layout.inverse().toInts();
      assertThat(IntStream.range(0, tokens).map(token -> order[inverse[token]]).toArray())
          .isEqualTo(IntStream.range(0, tokens).toArray());
    }
  }

  @Test
  void countsTheTokensOfEachCluster() {
    int[] labels = Tokens.labels(3, 500, 40);
    ClusterLayout layout = ClusterLayout.of(labels, 45);
    int[] sizes = IntStream.range(0, 45).map(layout::size).toArray();
    assertThat(sizes).isEqualTo(PlainKMeans.sizes(labels, 45));
    assertThat(IntStream.of(sizes).sum()).isEqualTo(layout.tokens()).isEqualTo(500);
    assertThat(layout.start(45)).isEqualTo(500);
    assertThat(layout.largest()).isEqualTo(IntStream.of(sizes).max().getAsInt());
    assertThat(layout.nonEmpty()).isEqualTo((int) IntStream.of(sizes).filter(s -> s > 0).count());
  }

  @Test
  void givesBackTheLabelsItWasMadeOf() {
    int[] labels = Tokens.labels(4, 321, 17);
    ClusterLayout layout = ClusterLayout.of(labels, 17);
    assertThat(layout.labels()).isEqualTo(labels);
    try (Scope scope = Scope.open()) {
      assertThat(layout.sortedLabels().toInts()).isSorted().hasSize(321);
    }
  }

  @Test
  void cutsNeighboursIntoBlocksOfWhichTheLastIsShorter() {
    ClusterLayout layout = ClusterLayout.contiguous(150, 64);
    assertThat(layout.clusters()).isEqualTo(3);
    assertThat(IntStream.range(0, 3).map(layout::size).toArray()).containsExactly(64, 64, 22);
    assertThat(layout.labels()).isSorted();
  }

  @Test
  void dividesByOneForAnEmptyCluster() {
    try (Scope scope = Scope.open()) {
      ClusterLayout layout = ClusterLayout.of(new int[] {2, 2, 0}, 3);
      assertThat(layout.divisors().toFloats()).containsExactly(1, 1, 2);
    }
  }
}
