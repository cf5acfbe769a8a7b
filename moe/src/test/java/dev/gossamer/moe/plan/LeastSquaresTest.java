package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LeastSquaresTest {
  @Test
  void findsTheCostsOfWhatAddsUp() {
    Random random = new Random(1);
    double[] costs = {3e-9, 0, 2e-3};
    double[][] amounts = new double[12][];
    double[] measured = new double[12];
    for (int i = 0; i < 12; i++) {
      amounts[i] = new double[] {1e6 * random.nextDouble(), 50 * random.nextDouble(), 1};
      measured[i] = costs[0] * amounts[i][0] + costs[2];
    }
    double[] found = LeastSquares.costs(amounts, measured);
    assertThat(found[0]).isEqualTo(costs[0], offset(1e-15));
    assertThat(found[1]).isEqualTo(0, offset(1e-9));
    assertThat(found[2]).isEqualTo(costs[2], offset(1e-9));
  }

  @Test
  void noCostIsBelowZero() {
    // A line through these falls below zero at zero: the best without that goes through zero.
    double[] found =
        LeastSquares.costs(new double[][] {{1, 1}, {1, 2}, {1, 3}}, new double[] {0.5, 2, 3.5});
    assertThat(found[0]).isZero();
    double best = (1 / 0.5 + 2 / 2.0 + 3 / 3.5) / (4 + 1 + 9 / 12.25);
    assertThat(found[1]).isEqualTo(best, offset(1e-12));
  }

  @Test
  void errorsCountAsSharesOfWhatWasMeasured() {
    double[] found = LeastSquares.costs(new double[][] {{1}, {1}}, new double[] {1, 100});
    assertThat(found[0]).isEqualTo((1 + 0.01) / (1 + 1e-4), offset(1e-12));
  }

  @Test
  void whatNeverOccursCostsNothing() {
    double[] found = LeastSquares.costs(new double[][] {{2, 0}, {4, 0}}, new double[] {6, 12});
    assertThat(found).containsExactly(new double[] {3, 0}, offset(1e-12));
    assertThat(Arrays.stream(LeastSquares.costs(new double[][] {{0}}, new double[] {1})).sum())
        .isZero();
  }

  @Test
  void twoThatAlwaysOccurTogetherAreNotCountedTwice() {
    double[] found =
        LeastSquares.costs(new double[][] {{1, 2}, {2, 4}, {3, 6}}, new double[] {5, 10, 15});
    assertThat(found[0] + 2 * found[1]).isEqualTo(5, offset(1e-9));
  }
}
