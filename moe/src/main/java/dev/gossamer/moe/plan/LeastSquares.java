package dev.gossamer.moe.plan;

/** Fits what something costs per unit of several things at once. */
public final class LeastSquares {
  private static final double SINGULAR = 1e-10;

  private LeastSquares() {}

  /**
   * @param costs none below zero
   * @param error sum of squared relative errors
   */
  public record Fit(double[] costs, double error) {}

  /** The costs of {@link #fit}. */
  public static double[] costs(double[][] amounts, double[] measured) {
    return fit(amounts, measured).costs();
  }

  /**
   * The costs, none below zero, with the least sum of squared relative errors of {@code costs[0]
   * amounts[i][0] + costs[1] amounts[i][1] + ...} against what was measured. Tries every subset of
   * costs above zero, so few of them.
   *
   * @param amounts {@code [points][costs]}, none below zero
   * @param measured {@code [points]}, all above zero
   */
  public static Fit fit(double[][] amounts, double[] measured) {
    int size = amounts[0].length;
    double[] scale = new double[size];
    double[][] relative = new double[amounts.length][size];
    for (int point = 0; point < amounts.length; point++) {
      for (int cost = 0; cost < size; cost++) {
        relative[point][cost] = amounts[point][cost] / measured[point];
        scale[cost] = Math.max(scale[cost], relative[point][cost]);
      }
    }
    double[] best = new double[size];
    double least = Double.POSITIVE_INFINITY;
    for (int subset = 1; subset < 1 << size; subset++) {
      double[] costs = solved(relative, scale, subset);
      double error = error(relative, costs);
      if (error < least) {
        least = error;
        best = costs;
      }
    }
    return new Fit(best, least);
  }

  /** The free solution of a subset; one without numbers if it has none, or one below zero. */
  private static double[] solved(double[][] relative, double[] scale, int subset) {
    int size = scale.length;
    double[][] normal = new double[size][size + 1];
    for (int row = 0; row < size; row++) {
      if ((subset >> row & 1) == 0 || scale[row] == 0) {
        normal[row][row] = 1; // this one is zero
        continue;
      }
      for (double[] point : relative) {
        for (int column = 0; column < size; column++) {
          if ((subset >> column & 1) == 1 && scale[column] > 0) {
            normal[row][column] += point[row] / scale[row] * point[column] / scale[column];
          }
        }
        normal[row][size] += point[row] / scale[row];
      }
    }
    double[] costs = eliminated(normal);
    for (int cost = 0; cost < size; cost++) {
      costs[cost] = costs[cost] < 0 ? Double.NaN : scale[cost] == 0 ? 0 : costs[cost] / scale[cost];
    }
    return costs;
  }

  /** Gauss and Jordan; the matrix has no negative eigenvalues, so that no row is exchanged. */
  private static double[] eliminated(double[][] system) {
    int size = system.length;
    double[] solution = new double[size];
    for (int pivot = 0; pivot < size; pivot++) {
      if (Math.abs(system[pivot][pivot]) < SINGULAR) {
        solution[0] = Double.NaN;
        return solution;
      }
      for (int row = 0; row < size; row++) {
        double factor = row == pivot ? 0 : system[row][pivot] / system[pivot][pivot];
        for (int column = pivot; column <= size; column++) {
          system[row][column] -= factor * system[pivot][column];
        }
      }
    }
    for (int row = 0; row < size; row++) {
      solution[row] = system[row][size] / system[row][row];
    }
    return solution;
  }

  private static double error(double[][] relative, double[] costs) {
    double sum = 0;
    for (double[] point : relative) {
      double error = -1;
      for (int cost = 0; cost < costs.length; cost++) {
        error += costs[cost] * point[cost];
      }
      sum += error * error;
    }
    return sum;
  }
}
