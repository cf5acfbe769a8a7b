package dev.gossamer.moe.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ForcedRoutingTest {
  private static void visitsNoExpertTwice(Routing routing) {
    for (int token = 0; token < routing.tokens(); token++) {
      int[] own =
          Arrays.copyOfRange(
              routing.expert(), token * routing.topK(), (token + 1) * routing.topK());
      assertThat(Arrays.stream(own).distinct().count()).isEqualTo(routing.topK());
    }
  }

  @ParameterizedTest
  @CsvSource({"100,3,7", "1,7,7", "64,1,1", "50,5,8", "33,8,8", "40,7,9", "0,2,4"})
  void randomIsEvenAndVisitsNoExpertTwice(int tokens, int topK, int experts) {
    for (long seed = 0; seed < 20; seed++) {
      Routing routing = ForcedRouting.random(tokens, topK, experts, seed);
      visitsNoExpertTwice(routing);
      int[] counts = routing.counts();
      assertThat(Arrays.stream(counts).max().orElse(0) - Arrays.stream(counts).min().orElse(0))
          .isLessThanOrEqualTo(1);
    }
  }

  @Test
  void randomIsTheSameForASeedAndAnotherForAnother() {
    int[] one = ForcedRouting.random(100, 3, 16, 1).expert();
    assertThat(ForcedRouting.random(100, 3, 16, 1).expert()).containsExactly(one);
    assertThat(ForcedRouting.random(100, 3, 16, 2).expert()).isNotEqualTo(one);
    assertThat(ForcedRouting.balanced(100, 3, 16, 0).expert()).isNotEqualTo(one);
  }

  @Test
  void aBiasMakesTheSameExpertsPopularOnAllRanks() {
    double even = load(ForcedRouting.biased(2000, 2, 16, 0, 5, 0));
    Routing here = ForcedRouting.biased(2000, 2, 16, 1, 5, 0);
    Routing there = ForcedRouting.biased(2000, 2, 16, 1, 5, 1);
    visitsNoExpertTwice(here);
    assertThat(even).isLessThan(1.3);
    assertThat(load(here)).isGreaterThan(1.5);
    assertThat(load(ForcedRouting.biased(2000, 2, 16, 5, 5, 0))).isGreaterThan(load(here));
    assertThat(there.expert()).isNotEqualTo(here.expert());
    assertThat(mostWanted(there)).isEqualTo(mostWanted(here));
  }

  private static double load(Routing routing) {
    int[] counts = routing.counts();
    return Arrays.stream(counts).max().orElseThrow()
        / Arrays.stream(counts).average().orElseThrow();
  }

  private static int mostWanted(Routing routing) {
    int[] counts = routing.counts();
    int best = 0;
    for (int expert = 1; expert < counts.length; expert++) {
      best = counts[expert] > counts[best] ? expert : best;
    }
    return best;
  }

  @Test
  void allTokensGoToOneExpertAndItsNeighbours() {
    assertThat(ForcedRouting.toOne(3, 2, 4, 3).expert()).containsExactly(3, 0, 3, 0, 3, 0);
    assertThat(ForcedRouting.toOne(3, 1, 4, 2).counts()).containsExactly(0, 0, 3, 0);
    assertThatThrownBy(() -> ForcedRouting.toOne(3, 1, 4, 4))
        .isInstanceOf(UsageException.class)
        .hasMessage("No expert 4 in a layer of 4. Use 0 to 3");
  }

  @ParameterizedTest
  @ValueSource(strings = {"gate", "balanced", "random", "biased:0.5", "one:3"})
  void aSourceIsCalledAsItIsWritten(String word) {
    RoutingSource source = RoutingSource.of(word);
    assertThat(source).hasToString(word);
    RoutedLayer layer = new RoutedLayer("layer", 8, 2, 4);
    assertThat(source.routing(layer, 0, 1).isEmpty()).isEqualTo(word.equals("gate"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "wild", "one", "one:", "one:x", "biased", "biased:NaN", "biased:-1", "gate:1"})
  void wordsWithoutMeaningAreRefused(String word) {
    assertThatThrownBy(() -> RoutingSource.of(word)).isInstanceOf(UsageException.class);
  }
}
