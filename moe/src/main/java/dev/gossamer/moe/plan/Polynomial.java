package dev.gossamer.moe.plan;

import java.util.List;
import java.util.stream.DoubleStream;

/**
 * A polynomial that was laid through measured points.
 *
 * @param coefficients of the powers 0, 1, 2, ...
 */
public record Polynomial(List<Double> coefficients) {
  public Polynomial {
    coefficients = List.copyOf(coefficients);
  }

  /**
   * The polynomial of a degree whose relative errors have the least sum of squares.
   *
   * @param x where, at least {@code degree + 1} different ones
   * @param y what was measured there, none of it zero
   */
  public static Polynomial fit(double[] x, double[] y, int degree) {
    int size = degree + 1;
    double[][] normal = new double[size][size + 1];
    for (int point = 0; point < x.length; point++) {
      double weight = 1 / (y[point] * y[point]);
      for (int row = 0; row < size; row++) {
        for (int column = 0; column < size; column++) {
          normal[row][column] += weight * Math.pow(x[point], row + column);
        }
        normal[row][size] += weight * Math.pow(x[point], row) * y[point];
      }
    }
    return new Polynomial(DoubleStream.of(solved(normal)).boxed().toList());
  }

  /** Gauss and Jordan; the matrix is positive definite, so that no row is exchanged. */
  private static double[] solved(double[][] system) {
    int size = system.length;
    for (int pivot = 0; pivot < size; pivot++) {
      for (int row = 0; row < size; row++) {
        double factor = row == pivot ? 0 : system[row][pivot] / system[pivot][pivot];
        for (int column = pivot; column <= size; column++) {
          system[row][column] -= factor * system[pivot][column];
        }
      }
    }
    double[] solution = new double[size];
    for (int row = 0; row < size; row++) {
      solution[row] = system[row][size] / system[row][row];
    }
    return solution;
  }

  public double at(double x) {
    double sum = 0;
    for (int power = coefficients.size() - 1; power >= 0; power--) {
      sum = sum * x + coefficients.get(power);
    }
    return sum;
  }
}
