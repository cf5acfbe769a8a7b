package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * Which tokens of a sequence are clustered: a range of it, with protected text before and after.
 *
 * @param first first clustered token
 * @param count clustered tokens
 * @param tokens of the whole sequence
 */
record ClusteredTokens(int first, int count, int tokens) {
  /** Whether there is text that is not clustered. */
  boolean protectText() {
    return count < tokens;
  }

  /** The rows of the clustered tokens. */
  Tensor of(Tensor rows) {
    return protectText() ? rows.narrow(0, first, count) : rows;
  }

  /** Sorts by label; protected text becomes one more cluster, the last. */
  ClusterLayout layout(int[] labels, int clusters) {
    if (!protectText()) {
      return ClusterLayout.of(labels, clusters);
    }
    int[] all = new int[tokens];
    Arrays.fill(all, clusters);
    System.arraycopy(labels, 0, all, first, count);
    return ClusterLayout.of(all, clusters + 1);
  }
}
