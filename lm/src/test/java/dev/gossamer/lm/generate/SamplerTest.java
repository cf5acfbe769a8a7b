package dev.gossamer.lm.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SamplerTest {
  private static final int[] NOTHING = {};
  private static final double[] LOGITS = {Math.log(4), Math.log(1), Math.log(3), Math.log(2)};

  private static Sampler with(double temperature, int topK, double topP, double minP) {
    return new Sampler(
        new SamplingSettings(Map.of(), 1, 0, 0, temperature, topK, topP, minP, 1), NOTHING);
  }

  @Test
  void withoutTemperatureTheHighestAndOfEqualOnesTheFirst() {
    Sampler greedy = new Sampler(SamplingSettings.GREEDY, NOTHING);
    assertThat(greedy.next(new double[] {1, 5, 5, 2})).isEqualTo(1);
    assertThat(greedy.next(new double[] {7, 5, 5, 2})).isZero();
  }

  @Test
  void sharesAreThoseByHand() {
    assertThat(with(1, 0, 1, 0).shares(LOGITS))
        .containsExactly(new double[] {0.4, 0.1, 0.3, 0.2}, offset(1e-12));
    assertThat(with(0.5, 0, 1, 0).shares(LOGITS))
        .containsExactly(new double[] {16 / 30.0, 1 / 30.0, 9 / 30.0, 4 / 30.0}, offset(1e-12));
    assertThat(with(1, 2, 1, 0).shares(LOGITS))
        .containsExactly(new double[] {4 / 7.0, 0, 3 / 7.0, 0}, offset(1e-12));
    // 0.4 is less than 0.6, 0.7 is enough
    assertThat(with(1, 0, 0.6, 0).shares(LOGITS))
        .containsExactly(new double[] {4 / 7.0, 0, 3 / 7.0, 0}, offset(1e-12));
    // of the three most likely, 4/9 is less than a half
    assertThat(with(1, 3, 0.5, 0).shares(LOGITS))
        .containsExactly(new double[] {4 / 7.0, 0, 3 / 7.0, 0}, offset(1e-12));
    assertThat(with(1, 0, 1, 0.6).shares(LOGITS))
        .containsExactly(new double[] {4 / 7.0, 0, 3 / 7.0, 0}, offset(1e-12));
    assertThat(with(1, 1, 1, 0).shares(LOGITS))
        .containsExactly(new double[] {1, 0, 0, 0}, offset(1e-12));
  }

  /** Pearson's statistic with three degrees of freedom: 16.3 is passed once in a thousand. */
  @Test
  void tokensAreDrawnAsOftenAsTheirShareSays() {
    Sampler sampler = with(1, 0, 1, 0);
    int[] counts = new int[4];
    int draws = 20_000;
    for (int i = 0; i < draws; i++) {
      counts[sampler.next(LOGITS)]++;
    }
    double[] expected = {0.4, 0.1, 0.3, 0.2};
    double statistic = 0;
    for (int id = 0; id < 4; id++) {
      double off = counts[id] - draws * expected[id];
      statistic += off * off / (draws * expected[id]);
    }
    assertThat(statistic).isLessThan(16.3);
  }

  @Test
  void aSeedDecides() {
    int[] first = draws(7);
    assertThat(draws(7)).isEqualTo(first);
    assertThat(draws(8)).isNotEqualTo(first);
  }

  private static int[] draws(long seed) {
    Sampler sampler =
        new Sampler(new SamplingSettings(Map.of(), 1, 0, 0, 1, 0, 1, 0, seed), NOTHING);
    int[] ids = new int[40];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = sampler.next(LOGITS);
    }
    return ids;
  }

  @Test
  void penaltiesAndBiasesMoveLogits() {
    double[] even = {1, 1, 0.9, -1};
    Sampler biased =
        new Sampler(new SamplingSettings(Map.of(3, 5.0), 1, 0, 0, 0, 0, 1, 0, 1), NOTHING);
    assertThat(biased.next(even)).isEqualTo(3);
    Sampler repetition =
        new Sampler(new SamplingSettings(Map.of(), 2, 0, 0, 0, 0, 1, 0, 1), new int[] {0, 1});
    assertThat(repetition.next(even)).isEqualTo(2);
    Sampler presence =
        new Sampler(new SamplingSettings(Map.of(), 1, 0.5, 0, 0, 0, 1, 0, 1), new int[] {0});
    assertThat(presence.next(even)).isZero(); // the prompt is no presence
    assertThat(presence.next(even)).isEqualTo(1);
    assertThat(presence.next(even)).isEqualTo(2);
    assertThat(presence.next(even)).isZero(); // once or twice is the same
    Sampler frequency =
        new Sampler(new SamplingSettings(Map.of(), 1, 0, 0.3, 0, 0, 1, 0, 1), NOTHING);
    int[] ids = new int[5];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = frequency.next(even);
    }
    assertThat(ids).containsExactly(0, 1, 2, 0, 1);
  }

  @Test
  void valuesOutOfRangeAreRefused() {
    assertThatThrownBy(() -> with(-1, 0, 1, 0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> with(1, -1, 1, 0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> with(1, 0, 0, 0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> with(1, 0, 1, 2)).isInstanceOf(UsageException.class);
  }
}
