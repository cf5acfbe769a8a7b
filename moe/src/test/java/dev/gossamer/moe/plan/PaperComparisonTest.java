package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The residuals that moe.md 3.2 states. */
class PaperComparisonTest {
  private static final double ROUNDED = 0.05;

  private final PaperComparison comparison = PaperComparison.compute();

  private PaperTable table(String title) {
    return comparison.tables().stream()
        .filter(table -> table.title().startsWith(title))
        .findFirst()
        .orElseThrow();
  }

  private List<Double> residuals(String title, String column) {
    return table(title).cells().stream()
        .filter(cell -> cell.column().equals(column))
        .map(PaperCell::residual)
        .toList();
  }

  private static void assertClose(List<Double> ours, double tolerance, double... stated) {
    assertThat(ours).hasSize(stated.length);
    for (int i = 0; i < stated.length; i++) {
      assertThat(ours.get(i)).isCloseTo(stated[i], within(tolerance));
    }
  }

  @Test
  void trainingLine() {
    List<Double> line = comparison.calibration().trainingLine().coefficients();
    assertThat(line.get(0)).isCloseTo(46.3, within(ROUNDED));
    assertThat(line.get(1)).isCloseTo(273.0, within(ROUNDED));
    assertClose(
        residuals("Table 1, training", "ms, line"),
        ROUNDED + 1e-3,
        -5.2,
        10.6,
        4.5,
        -0.5,
        -6.4,
        2.0,
        -7.5);
  }

  @Test
  void trainingParabola() {
    List<Double> curve = comparison.calibration().trainingCurve().coefficients();
    assertThat(curve.get(0)).isCloseTo(144.0, within(ROUNDED));
    assertThat(curve.get(1)).isCloseTo(176.2, within(ROUNDED));
    assertThat(curve.get(2)).isCloseTo(13.38, within(ROUNDED / 10));
    assertThat(residuals("Table 1, training", "ms, parabola")).allMatch(r -> Math.abs(r) <= 2.7);
  }

  @Test
  void inference() {
    Calibration fit = comparison.calibration();
    assertThat(fit.inferenceLine().at(0)).isCloseTo(13.9, within(ROUNDED));
    assertThat(fit.inferenceLine().at(1)).isCloseTo(13.9 + 70.2, within(2 * ROUNDED));
    assertThat(residuals("Table 1, inference", "ms, line")).allMatch(r -> Math.abs(r) < 17.5);
    assertThat(residuals("Table 1, inference", "ms, parabola")).allMatch(r -> Math.abs(r) <= 2.0);
  }

  @Test
  void figure4ByTheLine() {
    assertThat(comparison.calibration().endToEnd(4)).isCloseTo(2.43, within(0.005));
    assertThat(comparison.calibration().endToEnd(8)).isCloseTo(2.94, within(0.005));
    assertClose(residuals("Figure 4", "end to end, line"), ROUNDED, 2.4, -0.2);
    assertThat(residuals("Figure 4", "end to end, planner")).allMatch(r -> Math.abs(r) < 3.5);
    assertThat(table("Figure 4").worst()).isLessThan(3.5);
  }

  /** The ranges that the linear model gives: 2.38 to 2.55 and 2.77 to 2.97. */
  @Test
  void figure3Ranges() {
    List<Double> ours = table("Figure 3").cells().stream().map(PaperCell::ours).toList();
    assertClose(ours, 0.01, 2.38, 2.55, 2.77, 2.97);
  }

  @Test
  void table9() {
    assertThat(residuals("Table 9", "top-8, times")).allMatch(r -> Math.abs(r) < 0.3);
    assertThat(residuals("Table 9", "top-4, times")).allMatch(r -> Math.abs(r) < 0.75);
  }

  @Test
  void table4AndTheBytesOfTable3LeaveNothing() {
    assertThat(table("Table 4").cells())
        .filteredOn(cell -> cell.column().contains("GiB"))
        .hasSize(2)
        .allMatch(cell -> cell.residual() == 0);
    assertThat(table("Table 4").worst()).isLessThan(0.2);
    assertThat(residuals("Table 3", "all-to-all, GiB")).hasSize(8).allMatch(r -> r == 0);
    assertThat(table("Table 3").worst()).isLessThan(0.5);
  }

  @Test
  void aPolynomialGoesThroughItsPoints() {
    double[] x = {1, 2, 5};
    double[] y = {3, 7, 43}; // 3 - 2x + 2x^2
    Polynomial curve = Polynomial.fit(x, y, 2);
    for (int i = 0; i < x.length; i++) {
      assertThat(curve.at(x[i])).isCloseTo(y[i], within(1e-9));
    }
  }
}
