package dev.gossamer.attention.clusters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.attention.Tokens;
import org.junit.jupiter.api.Test;

class KeySelectionTest {
  @Test
  void packsTheRowsOneAfterTheOther() {
    KeySelection selection = KeySelection.of(new int[][] {{1, 4}, {}, {0}});
    assertThat(selection.groups()).isEqualTo(3);
    assertThat(selection.start(1)).isEqualTo(selection.end(1)).isEqualTo(2);
    assertThat(selection.cluster(selection.start(0) + 1)).isEqualTo(4);
    assertThat(selection.cluster(selection.start(2))).isZero();
  }

  @Test
  void countsTheKeysOfAGroup() {
    ClusterLayout keys = ClusterLayout.of(Tokens.labelsOfSizes(1, 5, 0, 2, 9), 4);
    KeySelection selection = KeySelection.of(new int[][] {{0, 1, 3}, {}});
    assertThat(selection.keys(0, keys)).isEqualTo(14);
    assertThat(selection.keys(1, keys)).isZero();
  }

  @Test
  void densityIsTheShareOfSelectedPairs() {
    int[] queryLabels = Tokens.labels(1, 300, 11);
    int[] keyLabels = Tokens.labels(2, 200, 30);
    ClusterLayout queries = ClusterLayout.of(queryLabels, 11);
    ClusterLayout keys = ClusterLayout.of(keyLabels, 30);
    QueryGroups groups = QueryGroups.cuts(queries, 8);
    KeySelection selection = ClusteredHead.randomSelection(3, groups.count(), 30, 0.3);
    long pairs = 0;
    for (int group = 0; group < groups.count(); group++) {
      for (int at = selection.start(group); at < selection.end(group); at++) {
        for (int label : keyLabels) {
          pairs += label == selection.cluster(at) ? groups.size(group) : 0;
        }
      }
    }
    assertThat(selection.density(groups, keys)).isCloseTo(pairs / (300.0 * 200), within(1e-12));
  }

  @Test
  void everythingIsDensityOne() {
    ClusterLayout layout = ClusterLayout.of(Tokens.labels(5, 64, 7), 9);
    QueryGroups groups = QueryGroups.clusters(layout);
    assertThat(KeySelection.all(groups.count(), 9).density(groups, layout)).isEqualTo(1);
  }
}
