package dev.gossamer.bench.lm;

/**
 * Student's t: how many standard errors a mean may be off, in 95 % of the cases, when the deviation
 * is estimated from a few values. The 97.5 % quantiles of every published table, three decimals.
 */
final class StudentT {
  private static final double[] QUANTILES = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042
  };

  private StudentT() {}

  /**
   * @param freedom degrees of freedom, values less one; above 30 the quantile is that of 30, which
   *     makes intervals at most 4 % too wide
   */
  static double quantile(int freedom) {
    if (freedom < 1) {
      throw new IllegalArgumentException(freedom + " degrees of freedom");
    }
    return QUANTILES[Math.min(freedom, QUANTILES.length) - 1];
  }
}
