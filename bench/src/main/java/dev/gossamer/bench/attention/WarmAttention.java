package dev.gossamer.bench.attention;

import dev.gossamer.attention.Attention;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.List;
import java.util.Set;

/**
 * One attention in the middle of a video: every call is the next step of one layer, so that a
 * method which carries something from step to step finds it.
 */
final class WarmAttention implements AutoCloseable {
  /** A call that calibrates, one that counts clusters, one that starts from centroids. */
  static final int COLD_CALLS = 3;

  /** Calls until Java's compiler has seen enough of loops that are written in Java. */
  private static final int WARM_CALLS = 8;

  private static final int MANY_STEPS = 1_000_000;

  private final AttentionSession session;
  private final Attention attention;
  private int step;

  /**
   * @param recallRows queries of each head from which recall is measured, 0 for none
   */
  WarmAttention(AttentionSubject subject, TokenGrid grid, int recallRows, Threads threads) {
    AttentionPlan plan = new AttentionPlan(1, 1, MANY_STEPS, grid, 0, Set.of(), recallRows);
    this.session = subject.create().open(plan, threads);
    this.attention = session.attention(0, 0);
  }

  /** The next step; the result belongs to the current scope. */
  Tensor attend(QueryKeyValue inputs) {
    return attention.attend(inputs.query(), inputs.key(), inputs.value(), step++);
  }

  /** Goes so far that the next call is like any later one. */
  WarmAttention warmedUp(QueryKeyValue inputs) {
    for (int call = 0; call < WARM_CALLS; call++) {
      try (Scope scope = Scope.open()) {
        attend(inputs);
      }
    }
    return this;
  }

  /**
   * The first call that clusters, from seeds: methods that count clusters have calibrated by then.
   *
   * @return in the current scope
   */
  Tensor firstClustered(QueryKeyValue inputs) {
    for (int call = 1; call < COLD_CALLS; call++) {
      Tensor output = attend(inputs);
      if (lastCall().dense().isEmpty()) {
        return output;
      }
      output.close();
    }
    throw new IllegalStateException("This method attends in full: " + lastCall().dense());
  }

  /** What the last call did. */
  AttentionReport.Call lastCall() {
    List<AttentionReport.Call> calls = session.report().calls();
    return calls.get(calls.size() - 1);
  }

  @Override
  public void close() {
    session.close();
  }
}
