package dev.gossamer.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class TimingTest {
  @Test
  void medianIsTheMiddleOne() {
    assertThat(Timing.of(9, 1, 5).median()).isEqualTo(5);
  }

  @Test
  void medianOfAnEvenCountIsBetweenTheMiddleTwo() {
    assertThat(Timing.of(4, 1, 2, 100).median()).isEqualTo(3);
  }

  @Test
  void quartilesLieOnStraightLinesBetweenTheMeasurements() {
    Timing timing = Timing.of(5, 1, 2, 3, 4);
    assertThat(timing.lowerQuartile()).isEqualTo(2);
    assertThat(timing.upperQuartile()).isEqualTo(4);
    assertThat(Timing.of(1, 2).lowerQuartile()).isEqualTo(1.25);
    assertThat(timing.min()).isEqualTo(1);
  }

  @Test
  void oneMeasurementIsAllOfThem() {
    Timing timing = Timing.of(7);
    assertThat(List.of(timing.min(), timing.lowerQuartile(), timing.median())).containsOnly(7.0);
  }

  @Test
  void noMeasurementIsNoTiming() {
    assertThatThrownBy(Timing::of).isInstanceOf(IllegalArgumentException.class);
  }
}
