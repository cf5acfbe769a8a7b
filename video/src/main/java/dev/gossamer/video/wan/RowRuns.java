package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;

/**
 * Cuts a sequence of tokens into runs that are worked on one after the other, each in a scope of
 * its own.
 *
 * @param rows tokens of a run, at least 1
 */
record RowRuns(long rows) {
  /** Work on the tokens from {@code start} on. */
  interface Work {
    void run(long start, long rows);
  }

  void forEach(long tokens, Work work) {
    for (long start = 0; start < tokens; start += rows) {
      try (Scope scope = Scope.open()) {
        work.run(start, Math.min(rows, tokens - start));
      }
    }
  }
}
