package dev.gossamer.moe;

import dev.gossamer.moe.parallel.ExpertRows;
import dev.gossamer.moe.parallel.RowView;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/**
 * The expert that every token visits where it is, at the width of the stream: {@code S(x)}, or with
 * a gate {@code sigmoid(g x) S(x)}.
 */
final class SharedExpert {
  private final Experts expert;
  private final Projection gate; // null without
  private final DType dtype;
  private final Threads threads;

  /**
   * What a forward pass leaves for the way back.
   *
   * @param given {@code [tokens, hidden]}, of the expert
   * @param share {@code [tokens, 1]}, of the gate; null without
   * @param output both multiplied
   */
  record Pass(Experts.Saved saved, Tensor given, Tensor share, Tensor output) {
    void keep(Scope scope) {
      saved.keep(scope);
      if (share != null) {
        scope.keep(given);
        scope.keep(share);
      }
    }

    Tensor x() {
      return saved.input().rows();
    }
  }

  /**
   * @param expert alone
   * @param gate {@code [1, hidden]}, or null
   */
  SharedExpert(Experts expert, Projection gate, DType dtype, Threads threads) {
    this.expert = expert;
    this.gate = gate;
    this.dtype = dtype;
    this.threads = threads;
  }

  List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(expert.parameters());
    if (gate != null) {
      all.addAll(gate.parameters());
    }
    return all;
  }

  Pass forward(Tensor x, int microBatch) {
    Tensor own = x.narrow(0, 0, x.size(0)); // a handle of the pass's, as x itself is the caller's
    Experts.Saved saved = expert.save(view(own), ExpertRows.ofOne((int) x.size(0)), microBatch);
    RowView given = view(like(own));
    expert.forward(saved, given, threads);
    if (gate == null) {
      return new Pass(saved, given.rows(), null, given.rows());
    }
    Tensor share = gate.forward(own, threads).sigmoid();
    return new Pass(saved, given.rows(), share, given.rows().mul(share));
  }

  /** Adds the weights' gradients and returns the input's. */
  Tensor backward(Pass pass, Tensor ofOutput, int microBatch) {
    Tensor ofGiven = gate == null ? ofOutput : ofOutput.mul(pass.share());
    RowView ofInput = view(like(pass.x()));
    expert.backward(pass.saved(), view(ofGiven), ofInput, threads);
    if (gate == null) {
      return ofInput.rows();
    }
    Tensor ofShare = ofOutput.mul(pass.given()).sum(true, 1);
    Tensor ofLogit = ofShare.mul(pass.share()).mul(pass.share().neg().add(1));
    gate.backwardInto(ofInput.rows(), pass.x(), ofLogit, microBatch, threads);
    return ofInput.rows();
  }

  private RowView view(Tensor rows) {
    return new RowView(rows, null, null, dtype);
  }

  private static Tensor like(Tensor rows) {
    return Tensor.empty(rows.dtype(), rows.device(), rows.shape());
  }
}
