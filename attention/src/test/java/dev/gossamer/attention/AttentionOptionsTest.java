package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionOptionsTest {
  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, 1.01, Double.NaN, Double.POSITIVE_INFINITY})
  void refusesADensityThatIsNoShare(double density) {
    assertThatThrownBy(() -> AttentionOptions.defaults().withDensity(density))
        .isInstanceOf(UsageException.class);
  }

  @Test
  void collectsWhatIsSaidAndTheLastWordWins() {
    AttentionOptions options =
        AttentionOptions.defaults()
            .withPreset("paper")
            .withDensity(1)
            .withSetting("kq", "5")
            .withSetting("tail", "off")
            .withSetting("kq", "6");
    assertThat(options.preset()).contains("paper");
    assertThat(options.density()).hasValue(1);
    assertThat(options.settings()).containsOnly(Map.entry("kq", "6"), Map.entry("tail", "off"));
  }

  @Test
  void doesNotChangeWhenItsSourceDoes() {
    Map<String, String> source = new HashMap<>(Map.of("kq", "5"));
    AttentionOptions options =
        new AttentionOptions(Optional.empty(), OptionalDouble.empty(), source);
    source.put("kq", "6");
    assertThat(options.settings()).containsEntry("kq", "5");
    assertThatThrownBy(() -> options.settings().put("kq", "7"))
        .isInstanceOf(UnsupportedOperationException.class);
  }

  @Test
  void aPlanNeedsLayersBranchesAndSteps() {
    TokenGrid grid = TokenGrid.video(1, 2, 3);
    int[][] wrong = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}};
    for (int[] counts : wrong) {
      assertThatThrownBy(
              () -> new AttentionPlan(counts[0], counts[1], counts[2], grid, 0, Set.of(), 0))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aGridCountsVideoAndText() {
    TokenGrid grid = new TokenGrid(3, 4, 5, 7, 11);
    assertThat(grid.videoTokens()).isEqualTo(60);
    assertThat(grid.tokens()).isEqualTo(78);
    assertThat(TokenGrid.video(3, 4, 5).tokens()).isEqualTo(60);
    assertThatThrownBy(() -> new TokenGrid(0, 4, 5, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new TokenGrid(3, 4, 5, -1, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
