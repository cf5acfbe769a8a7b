package dev.gossamer.bench.attention;

import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;

/**
 * What {@link AttentionQuality} measures and how.
 *
 * @param densities wanted shares of query-key pairs, ascending
 * @param recallRows evenly spaced queries of a head over which recall is measured, exactly; errors
 *     are over all queries
 * @param starts different seeds of the clustering, for the comparison with the earlier measurement
 * @param mostTokens only the first tokens of each head, whole frames of them; for a quick look
 * @param threads processor threads that compute
 */
public record QualitySettings(
    List<Double> densities, int recallRows, int starts, int mostTokens, int threads) {
  /**
   * @throws UsageException if there is nothing to measure
   */
  public QualitySettings {
    densities = densities.stream().sorted().toList();
    boolean shares = densities.stream().allMatch(density -> density > 0 && density <= 1);
    if (densities.isEmpty()
        || !shares
        || recallRows < 1
        || starts < 1
        || mostTokens < 1
        || threads < 1) {
      throw new UsageException(
          "Cannot measure quality at the densities "
              + densities
              + " with "
              + recallRows
              + " rows and "
              + starts
              + " starts",
          "Use densities above 0 and at most 1, and at least one of the rest");
    }
  }

  /** Five densities from .05 to .40, 1,024 rows for recall, 8 starts, whole heads, all cores. */
  public static QualitySettings defaults() {
    return new QualitySettings(
        List.of(0.05, 0.10, 0.15, 0.25, 0.40), 1024, 8, Integer.MAX_VALUE, Threads.available());
  }

  public QualitySettings withDensities(List<Double> shares) {
    return new QualitySettings(shares, recallRows, starts, mostTokens, threads);
  }

  public QualitySettings withStarts(int count) {
    return new QualitySettings(densities, recallRows, count, mostTokens, threads);
  }

  public QualitySettings withMostTokens(int count) {
    return new QualitySettings(densities, recallRows, starts, count, threads);
  }

  public QualitySettings withThreads(int count) {
    return new QualitySettings(densities, recallRows, starts, mostTokens, count);
  }
}
