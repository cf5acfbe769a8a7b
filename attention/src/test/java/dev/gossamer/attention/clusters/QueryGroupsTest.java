package dev.gossamer.attention.clusters;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.Scope;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueryGroupsTest {
  @Test
  void makesOneGroupOfEachNonEmptyCluster() {
    ClusterLayout layout = ClusterLayout.of(new int[] {3, 0, 3, 3, 5}, 7);
    QueryGroups groups = QueryGroups.clusters(layout);
    assertThat(IntStream.range(0, groups.count()).map(groups::size).toArray())
        .containsExactly(1, 3, 1);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 47, 48, 1000})
  void cutsClustersIntoTheFewestEqualParts(int most) {
    int[] sizes = {0, 1, 48, 49, 0, 200, 96, 3};
    ClusterLayout layout = ClusterLayout.of(Tokens.labelsOfSizes(1, sizes), sizes.length);
    QueryGroups groups = QueryGroups.cuts(layout, most);
    int group = 0;
    for (int cluster = 0; cluster < sizes.length; cluster++) {
      int parts = (sizes[cluster] + most - 1) / most;
      for (int part = 0; part < parts; part++) {
        assertThat(groups.size(group))
            .isBetween(sizes[cluster] / parts, (sizes[cluster] + parts - 1) / parts)
            .isBetween(1, most);
        assertThat(groups.start(group)).isGreaterThanOrEqualTo(layout.start(cluster));
        assertThat(groups.start(group + 1)).isLessThanOrEqualTo(layout.start(cluster + 1));
        group++;
      }
    }
    assertThat(groups.count()).isEqualTo(group);
    assertThat(groups.start(group)).isEqualTo(layout.tokens());
  }

  @Test
  void namesTheGroupOfEachSortedPosition() {
    try (Scope scope = Scope.open()) {
      ClusterLayout layout = ClusterLayout.of(new int[] {1, 1, 1, 0, 1}, 2);
      QueryGroups groups = QueryGroups.cuts(layout, 2);
      assertThat(groups.ofPositions().toInts()).containsExactly(0, 1, 1, 2, 2);
      assertThat(groups.sizes().toFloats()).containsExactly(1, 2, 2);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 10, 500})
  void samplesEveryGroupAtLeastOnceAndInsideItself(int stride) {
    try (Scope scope = Scope.open()) {
      ClusterLayout layout = ClusterLayout.of(Tokens.labels(8, 300, 20), 20);
      QueryGroups groups = QueryGroups.cuts(layout, 12);
      QueryGroups.Samples samples = groups.samples(stride);
      int[] positions = samples.positions().toInts();
      int[] of = samples.groups().toInts();
      int[] found = new int[groups.count()];
      for (int i = 0; i < positions.length; i++) {
        assertThat(positions[i]).isBetween(groups.start(of[i]), groups.start(of[i] + 1) - 1);
        found[of[i]]++;
      }
      assertThat(positions).doesNotHaveDuplicates();
      assertThat(samples.perGroup().toInts()).isEqualTo(found);
      assertThat(IntStream.of(found).min().getAsInt()).isPositive();
    }
  }
}
