package dev.gossamer.lm;

import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.Projection;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/** {@code W2 act(W1 x)}, or gated {@code W2 (act(W1 x) * (W3 x))}, of every token. */
final class DenseFeedForward implements Branch {
  private final ExpertActivation activation;
  private final Threads threads;
  private final Projection w1;
  private final Projection w2;
  private final Projection w3; // null for a plain one

  DenseFeedForward(
      DenseSettings settings, int hidden, String name, FreshWeights fresh, Threads threads) {
    this.activation = settings.activation();
    this.threads = threads;
    this.w1 = fresh.reading(name + ".w1", settings.inner(), hidden, false);
    this.w3 =
        settings.body() == ExpertBody.GATED
            ? fresh.reading(name + ".w3", settings.inner(), hidden, false)
            : null;
    this.w2 = fresh.writing(name + ".w2", hidden, settings.inner());
  }

  @Override
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(w1.parameters());
    all.addAll(w2.parameters());
    if (w3 != null) {
      all.addAll(w3.parameters());
    }
    return all;
  }

  @Override
  public Pass forward(Tensor x, Rows rows) {
    Tensor inner = w1.forward(x, threads);
    Tensor upper = w3 == null ? null : w3.forward(x, threads);
    Tensor active = activation.apply(inner);
    Tensor gated = upper == null ? active : active.mul(upper);
    Tensor output = w2.forward(gated, threads);
    return new Pass() {
      @Override
      public Tensor output() {
        return output;
      }

      @Override
      public Tensor backward(Tensor ofOutput, double lossScale) {
        int part = rows.batch().number();
        Tensor ofGated = w2.backward(gated, ofOutput, part, threads);
        Tensor ofActive = upper == null ? ofGated : ofGated.mul(upper);
        Tensor ofInner = activation.backward(inner, ofActive);
        Tensor ofX = w1.backward(x, ofInner, part, threads);
        return upper == null ? ofX : ofX.add(w3.backward(x, ofGated.mul(active), part, threads));
      }
    };
  }
}
