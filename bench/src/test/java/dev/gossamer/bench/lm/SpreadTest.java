package dev.gossamer.bench.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import org.junit.jupiter.api.Test;

/** Against numbers worked out by hand. */
class SpreadTest {
  @Test
  void threeValues() {
    // Mean 2, squares 1 + 0 + 1 over 2; t of 2 degrees of freedom 4.303 times 1/sqrt(3) is 2.4843.
    Spread spread = Spread.of(1, 2, 3);
    assertThat(spread.mean()).isEqualTo(2);
    assertThat(spread.deviation()).isEqualTo(1);
    assertThat(spread.low()).isCloseTo(-0.4843, offset(1e-4));
    assertThat(spread.high()).isCloseTo(4.4843, offset(1e-4));
  }

  @Test
  void twoValuesHaveAWideInterval() {
    // Deviation 0.1 sqrt(2), over sqrt(2) 0.1, times 12.706 for one degree of freedom.
    Spread spread = Spread.of(0.4, 0.6);
    assertThat(spread.deviation()).isCloseTo(0.141421, offset(1e-6));
    assertThat(spread.margin()).isCloseTo(1.2706, offset(1e-9));
  }

  @Test
  void oneValueHasNone() {
    Spread spread = Spread.of(0.4);
    assertThat(spread.mean()).isEqualTo(0.4);
    assertThat(spread.deviation()).isNaN();
    assertThat(spread.high()).isNaN();
  }

  @Test
  void anIntervalAnswersOnlyOnOneSideOfZero() {
    assertThat(Answer.below(Spread.of(-1.0, -1.1, -1.2))).isEqualTo(Answer.YES);
    assertThat(Answer.below(Spread.of(1.0, 1.1, 1.2))).isEqualTo(Answer.NO);
    assertThat(Answer.below(Spread.of(-1.0, -0.1, -0.2))).isEqualTo(Answer.UNDECIDED);
    assertThat(Answer.below(Spread.of(-1.0))).isEqualTo(Answer.UNDECIDED);
  }

  @Test
  void quantilesOfTheTable() {
    assertThat(StudentT.quantile(1)).isEqualTo(12.706);
    assertThat(StudentT.quantile(4)).isEqualTo(2.776);
    assertThat(StudentT.quantile(10)).isEqualTo(2.228);
    assertThat(StudentT.quantile(30)).isEqualTo(2.042);
    assertThat(StudentT.quantile(500)).isEqualTo(2.042);
    assertThatThrownBy(() -> StudentT.quantile(0)).isInstanceOf(IllegalArgumentException.class);
  }
}
