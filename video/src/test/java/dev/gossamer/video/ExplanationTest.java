package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.TokenGrid;
import org.junit.jupiter.api.Test;

class ExplanationTest {
  private static final TokenGrid GRID = new TokenGrid(1, 1, 3, 2, 1);

  @Test
  void labelsOfProtectedTextAreNotThere() {
    assertThat(Explanation.ofVideo(new int[] {7, 8, 9}, GRID)).containsExactly(7, 8, 9);
  }

  @Test
  void labelsOfClusteredTextStandAroundThoseOfTheVideo() {
    assertThat(Explanation.ofVideo(new int[] {1, 2, 7, 8, 9, 3}, GRID)).containsExactly(7, 8, 9);
  }
}
