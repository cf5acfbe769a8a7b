package dev.gossamer.attention.clusters;

import java.util.Arrays;

/**
 * Which key clusters each query group attends to: rows of ascending cluster numbers, packed one
 * after the other.
 */
public final class KeySelection {
  private final int[] starts;
  private final int[] clusters;

  private KeySelection(int[] starts, int[] clusters) {
    this.starts = starts;
    this.clusters = clusters;
  }

  /**
   * @param rows per group the chosen clusters, ascending
   */
  public static KeySelection of(int[][] rows) {
    int[] starts = new int[rows.length + 1];
    for (int row = 0; row < rows.length; row++) {
      starts[row + 1] = starts[row] + rows[row].length;
    }
    int[] clusters = new int[starts[rows.length]];
    for (int row = 0; row < rows.length; row++) {
      System.arraycopy(rows[row], 0, clusters, starts[row], rows[row].length);
    }
    return new KeySelection(starts, clusters);
  }

  /** Every group attends to every cluster. */
  public static KeySelection all(int groups, int clusters) {
    int[] every = new int[clusters];
    Arrays.setAll(every, i -> i);
    int[][] rows = new int[groups][];
    Arrays.fill(rows, every);
    return of(rows);
  }

  public int groups() {
    return starts.length - 1;
  }

  /** Position of a group's first chosen cluster in {@link #cluster}. */
  public int start(int group) {
    return starts[group];
  }

  public int end(int group) {
    return starts[group + 1];
  }

  public int cluster(int position) {
    return clusters[position];
  }

  /** Keys that a group attends to. */
  public int keys(int group, ClusterLayout layout) {
    int keys = 0;
    for (int position = start(group); position < end(group); position++) {
      keys += layout.size(clusters[position]);
    }
    return keys;
  }

  /** Share of all query-key pairs inside the selection. */
  public double density(QueryGroups groups, ClusterLayout keys) {
    long pairs = 0;
    for (int group = 0; group < groups(); group++) {
      pairs += (long) groups.size(group) * keys(group, keys);
    }
    return pairs / ((double) groups.start(groups.count()) * keys.tokens());
  }
}
