package dev.gossamer.video.schedulers;

/**
 * The coefficients of UniPC's steps, in float64. A step is a linear combination of samples and of
 * estimates x0 of the noise-free video; with alpha = 1 - sigma and lambda = ln(alpha / sigma), from
 * s to t: h = lambda_t - lambda_s, phi = exp(-h) - 1, B = phi or -h, and
 *
 * <pre>
 * x_t = sigma_t / sigma_s x_s - alpha_t phi m_0 - alpha_t B sum_j rho_j D_j
 * D_j = (m_j - m_0) / r_j,  r_j = (lambda_(s-j) - lambda_s) / h
 * </pre>
 *
 * where m_j is the x0 estimated j steps before s. The corrector has one more term, D = x0_t - m_0
 * at r = 1, from the model's output at t itself. rho solves a small linear system (UniPC, section
 * 3).
 */
final class UniPcFormula {
  private final double[] sigmas;
  private final UniPc.Solver solver;

  UniPcFormula(double[] sigmas, UniPc.Solver solver) {
    this.sigmas = sigmas;
    this.solver = solver;
  }

  /** What a step multiplies: the sample it starts from, each m_j, and x0 at its end. */
  record Weights(double sample, double[] estimates, double atEnd) {}

  /** The step from noise level {@code from} to the next, from what is known before it. */
  Weights predict(int from, int order) {
    if (sigmas[from + 1] == 0) {
      return new Weights(0, new double[] {1}, 0); // the limit for h to infinity
    }
    if (sigmas[from + 1] == sigmas[from]) {
      return new Weights(1, new double[] {0}, 0); // the limit for h to 0
    }
    double[] ratios = ratios(from, order);
    double[] rho =
        switch (order) {
          case 1 -> new double[0];
          case 2 -> new double[] {0.5};
          default -> solve(from, ratios, order - 1);
        };
    return weights(from, ratios, rho, 0);
  }

  /** The same step once the model has seen its end. */
  Weights correct(int from, int order) {
    double[] ratios = ratios(from, order);
    double[] rho = order == 1 ? new double[] {0.5} : solve(from, ratios, order);
    return weights(from, ratios, rho, rho[order - 1]);
  }

  private Weights weights(int from, double[] ratios, double[] rho, double rhoAtEnd) {
    double alpha = 1 - sigmas[from + 1];
    double phi = Math.expm1(-h(from));
    double scale = alpha * b(from);
    double[] estimates = new double[ratios.length]; // as many as the order
    estimates[0] = -alpha * phi + scale * rhoAtEnd;
    for (int j = 1; j < estimates.length; j++) {
      double weight = scale * rho[j - 1] / ratios[j - 1];
      estimates[0] += weight;
      estimates[j] = -weight;
    }
    return new Weights(sigmas[from + 1] / sigmas[from], estimates, -scale * rhoAtEnd);
  }

  private double lambda(int index) {
    return Math.log(1 - sigmas[index]) - Math.log(sigmas[index]);
  }

  private double h(int from) {
    return lambda(from + 1) - lambda(from);
  }

  private double b(int from) {
    return solver == UniPc.Solver.BH1 ? -h(from) : Math.expm1(-h(from));
  }

  /** r_1 .. r_(order-1), and 1 for the step's own end. */
  private double[] ratios(int from, int order) {
    double[] ratios = new double[order];
    for (int j = 1; j < order; j++) {
      ratios[j - 1] = (lambda(from - j) - lambda(from)) / h(from);
    }
    ratios[order - 1] = 1;
    return ratios;
  }

  /** rho of {@code size} terms: row k of the system is sum_j r_j^(k-1) rho_j = k! g_k / B. */
  private double[] solve(int from, double[] ratios, int size) {
    double hh = -h(from);
    double[][] rows = new double[size][size + 1];
    double g = Math.expm1(hh) / hh - 1;
    double factorial = 1;
    for (int k = 1; k <= size; k++) {
      factorial *= k;
      for (int j = 0; j < size; j++) {
        rows[k - 1][j] = Math.pow(ratios[j], k - 1);
      }
      rows[k - 1][size] = g * factorial / b(from);
      g = g / hh - 1 / (factorial * (k + 1));
    }
    return eliminate(rows);
  }

  /** Gauss-Jordan elimination with row exchange; the last column is the right-hand side. */
  private static double[] eliminate(double[][] rows) {
    int size = rows.length;
    for (int column = 0; column < size; column++) {
      int pivot = column;
      for (int row = column + 1; row < size; row++) {
        pivot = Math.abs(rows[row][column]) > Math.abs(rows[pivot][column]) ? row : pivot;
      }
      double[] exchanged = rows[pivot];
      rows[pivot] = rows[column];
      rows[column] = exchanged;
      for (int row = 0; row < size; row++) {
        double factor = row == column ? 0 : rows[row][column] / rows[column][column];
        for (int i = column; i <= size; i++) {
          rows[row][i] -= factor * rows[column][i];
        }
      }
    }
    double[] solution = new double[size];
    for (int i = 0; i < size; i++) {
      solution[i] = rows[i][size] / rows[i][i];
    }
    return solution;
  }
}
