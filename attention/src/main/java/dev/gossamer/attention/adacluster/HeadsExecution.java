package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Tensor;

/**
 * One clustered call of a layer for all its heads at once: how a card does it. By kernels of ours
 * where one fits the card, by operations of libtorch everywhere.
 */
interface HeadsExecution {
  /**
   * What one call is about.
   *
   * @param query {@code [batch, heads, tokens, headDim]}, likewise key and value
   * @param grid roles of the tokens
   * @param recluster whether labels are made anew or those of an earlier call serve again
   * @param seeds one for each head of each batch, for a first clustering
   * @param recallRows queries of each head from which recall is estimated, 0 for none
   * @param keepLabels whether a later call, or the report, wants the labels
   */
  record Call(
      Tensor query,
      Tensor key,
      Tensor value,
      AdaClusterSettings settings,
      TokenGrid grid,
      boolean recluster,
      long[] seeds,
      int recallRows,
      boolean keepLabels) {
    int heads() {
      return Math.toIntExact(query.size(0) * query.size(1));
    }

    int tokens() {
      return Math.toIntExact(query.size(2));
    }

    int headDim() {
      return Math.toIntExact(query.size(3));
    }

    boolean protectsText() {
      return settings.text() == AdaClusterSettings.Text.ALWAYS
          && grid.textBefore() + grid.textAfter() > 0;
    }

    /** First token that is clustered. */
    int firstClustered() {
      return protectsText() ? grid.textBefore() : 0;
    }

    /** Tokens that are clustered. */
    int clustered() {
      return protectsText() ? grid.videoTokens() : tokens();
    }

    boolean tailCounts() {
      return settings.tail() != AdaClusterSettings.Tail.OFF;
    }
  }

  /**
   * What came of it.
   *
   * @param output {@code [batch, heads, tokens, headDim]}
   * @param facts float32 {@code [5]} on the device, means over heads: density, share of
   *     pseudo-keys, clusters of queries, clusters of keys, recall (NaN if not measured)
   */
  record Result(Tensor output, Tensor facts) {}

  /** Both in the current scope; centroids move on in the state. */
  Result attend(Call call, HeadsState state);
}
