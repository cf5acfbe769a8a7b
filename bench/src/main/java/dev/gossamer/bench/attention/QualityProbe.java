package dev.gossamer.bench.attention;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/**
 * One captured head under measurement, in float32: recall and error of the first call that clusters
 * (centroids from seeds, five Lloyd iterations unless the subject says otherwise).
 */
final class QualityProbe implements AutoCloseable {
  private final Scope owner = Scope.detached();
  private final CapturedHead head;
  private final TokenGrid grid;
  private final QueryKeyValue inputs;
  private final Tensor exact;
  private final int recallRows;
  private final Threads threads;

  /**
   * What one method does to one head.
   *
   * @param density share of query-key pairs that were computed exactly
   * @param pseudoKeys further share spent on the tail
   * @param queryClusters that are not empty
   * @param keyClusters that are not empty
   * @param recall share of attention mass inside the exact pairs, mean over the rows
   * @param errors relative L2 over all queries against exact attention, one per start
   */
  record Measured(
      double density,
      double pseudoKeys,
      int queryClusters,
      int keyClusters,
      double recall,
      List<Double> errors) {
    double error() {
      return errors.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    }

    double smallestError() {
      return errors.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
    }

    double largestError() {
      return errors.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
    }
  }

  QualityProbe(
      CapturedHeads captured, CapturedHead head, QualitySettings settings, Threads threads) {
    this.head = head;
    this.grid = head.prefixOfAtMost(settings.mostTokens());
    int tokens = grid.tokens();
    this.recallRows = settings.recallRows();
    this.threads = threads;
    try (Scope scope = Scope.open()) {
      QueryKeyValue loaded = captured.load(head, tokens, 1, DType.FLOAT32);
      this.inputs =
          new QueryKeyValue(
              owner.adopt(loaded.query()), owner.adopt(loaded.key()), owner.adopt(loaded.value()));
      this.exact = owner.adopt(inputs.exact());
    }
  }

  CapturedHead head() {
    return head;
  }

  /** Measures a method from one start. */
  Measured measure(AttentionSubject subject) {
    return measure(subject, 1);
  }

  /**
   * Measures a method from several starts: every copy of the head gets other seeds.
   *
   * @return means over the starts, but for the errors
   */
  Measured measure(AttentionSubject subject, int starts) {
    try (Scope scope = Scope.open();
        WarmAttention attention =
            new WarmAttention(inFloat32(subject).everywhere(), grid, recallRows, threads)) {
      Tensor output = attention.firstClustered(copies(starts));
      List<Double> errors = new ArrayList<>();
      for (int start = 0; start < starts; start++) {
        errors.add(QueryKeyValue.relativeError(output.narrow(1, start, 1), exact));
      }
      AttentionReport.Call call = attention.lastCall();
      return new Measured(
          call.density(),
          call.pseudoKeys(),
          call.queryClusters(),
          call.keyClusters(),
          call.recall(),
          errors);
    }
  }

  private static AttentionSubject inFloat32(AttentionSubject subject) {
    return subject.options().settings().containsKey("products")
        ? subject
        : subject.with("products", "float32");
  }

  private QueryKeyValue copies(int count) {
    return new QueryKeyValue(
        inputs.query().expand(1, count, -1, -1),
        inputs.key().expand(1, count, -1, -1),
        inputs.value().expand(1, count, -1, -1));
  }

  @Override
  public void close() {
    owner.close();
  }
}
