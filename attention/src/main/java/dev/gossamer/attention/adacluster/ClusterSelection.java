package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Takes, for each query group, the key clusters of highest score as far as the rule goes
 * (AdaCluster 1.4). Ties go to the lower cluster; a NaN score ranks first, so that a NaN shows in
 * the output instead of hiding; empty clusters are never chosen and at least one other always is.
 */
final class ClusterSelection {
  private final SelectionRule rule;
  private final ClusterLayout layout;
  private final boolean[] always;
  private final double errorTarget;

  /**
   * @param always clusters that every group attends to on top of its choice (text), may be all
   *     false
   */
  ClusterSelection(SelectionRule rule, ClusterLayout layout, boolean[] always) {
    this(rule, layout, always, 0);
  }

  /**
   * @param errorTarget expected error of what a group leaves out at which it stops; 0 for never
   */
  ClusterSelection(SelectionRule rule, ClusterLayout layout, boolean[] always, double errorTarget) {
    this.errorTarget = errorTarget;
    this.rule = rule;
    this.layout = layout;
    this.always = always;
  }

  /**
   * @param scores groups x clusters, row by row
   * @param masses estimated attention mass of each group in each cluster, likewise; only {@link
   *     SelectionRule.Mass} reads it
   * @param choosing groups that choose; those behind them (text) attend to everything
   */
  KeySelection select(float[] scores, float[] masses, int choosing) {
    return select(scores, masses, new float[scores.length], choosing);
  }

  /**
   * @param errors scores of {@link ExpectedError}, an error per key; only a target for errors reads
   *     them
   */
  KeySelection select(float[] scores, float[] masses, float[] errors, int choosing) {
    int clusters = layout.clusters();
    int[][] rows = new int[scores.length / clusters][];
    Ranking ranking = new Ranking(clusters);
    for (int group = 0; group < rows.length; group++) {
      rows[group] =
          group < choosing ? row(ranking, scores, masses, errors, group * clusters) : everything();
    }
    return KeySelection.of(rows);
  }

  private int[] everything() {
    return IntStream.range(0, layout.clusters()).filter(j -> layout.size(j) > 0).toArray();
  }

  private int[] row(Ranking ranking, float[] scores, float[] masses, float[] errors, int start) {
    int candidates =
        ranking.fill(scores, start, cluster -> !always[cluster] && layout.size(cluster) > 0);
    int[] chosen = new int[layout.clusters()];
    int count = 0;
    Limit limit = new Limit(candidates);
    double left = errorTarget > 0 ? expectedError(errors, start) : Double.POSITIVE_INFINITY;
    // Not "left > target": an error of NaN is no reason to stop.
    while (ranking.size() > 0 && limit.wantsMore() && (count == 0 || !(left <= errorTarget))) {
      int cluster = ranking.takeBest();
      chosen[count++] = cluster;
      limit.took(cluster, masses, start);
      left -= (double) errors[start + cluster] * layout.size(cluster);
    }
    for (int cluster = 0; cluster < always.length; cluster++) {
      if (always[cluster] && layout.size(cluster) > 0) {
        chosen[count++] = cluster;
      }
    }
    int[] row = Arrays.copyOf(chosen, count);
    Arrays.sort(row);
    return row;
  }

  /** Of all clusters that a row may choose: a score is an error per key. */
  private double expectedError(float[] errors, int start) {
    double error = 0;
    for (int cluster = 0; cluster < layout.clusters(); cluster++) {
      if (!always[cluster] && layout.size(cluster) > 0) {
        error += (double) errors[start + cluster] * layout.size(cluster);
      }
    }
    return error;
  }

  /** How much of the rule a row has used up. */
  private final class Limit {
    private final int candidates;
    private int clusters;
    private long keys;
    private double mass;

    Limit(int candidates) {
      this.candidates = candidates;
    }

    boolean wantsMore() {
      if (clusters == 0) {
        return true;
      }
      if (rule instanceof SelectionRule.Budget budget) {
        return keys < Math.round(budget.share() * layout.tokens());
      }
      if (rule instanceof SelectionRule.TopClusters top) {
        return clusters < top.count();
      }
      if (rule instanceof SelectionRule.TopShare top) {
        return clusters < Math.max(1, Math.round(top.share() * candidates));
      }
      SelectionRule.Mass target = (SelectionRule.Mass) rule;
      return mass < target.target() || clusters < Math.round(target.leastShare() * candidates);
    }

    void took(int cluster, float[] masses, int start) {
      clusters++;
      keys += layout.size(cluster);
      if (rule instanceof SelectionRule.Mass) {
        mass += masses[start + cluster];
      }
    }
  }

  /** A heap of clusters, best on top; only the few that are taken get sorted. */
  private static final class Ranking {
    private final long[] heap;
    private int size;

    Ranking(int capacity) {
      heap = new long[capacity];
    }

    int size() {
      return size;
    }

    int fill(float[] scores, int start, java.util.function.IntPredicate candidate) {
      size = 0;
      for (int cluster = 0; cluster < heap.length; cluster++) {
        if (candidate.test(cluster)) {
          heap[size++] = rank(scores[start + cluster], cluster);
        }
      }
      for (int at = size / 2 - 1; at >= 0; at--) {
        sink(at);
      }
      return size;
    }

    /** Score in the upper half, ordered like the float; cluster counted down in the lower. */
    private static long rank(float score, int cluster) {
      int bits = Float.floatToIntBits(score); // NaN is above infinity
      int ordered = bits ^ ((bits >> 31) & 0x7fffffff);
      return ((long) ordered << 32) | (0xffffffffL - cluster);
    }

    int takeBest() {
      long best = heap[0];
      heap[0] = heap[--size];
      sink(0);
      return (int) (0xffffffffL - (best & 0xffffffffL));
    }

    private void sink(int at) {
      long moving = heap[at];
      while (2 * at + 1 < size) {
        int child = 2 * at + 1;
        if (child + 1 < size && heap[child + 1] > heap[child]) {
          child++;
        }
        if (heap[child] <= moving) {
          break;
        }
        heap[at] = heap[child];
        at = child;
      }
      heap[at] = moving;
    }
  }
}
