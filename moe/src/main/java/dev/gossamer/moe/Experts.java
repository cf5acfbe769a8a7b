package dev.gossamer.moe;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Some experts of a layer, each a small network from the wire's width to an inner one and back:
 * {@code u = W2 act(W1 z + b1) + b2}, or gated {@code u = W2 (act(W1 z) * (W3 z))}. One product per
 * expert and matrix over the rows that came for it; an expert without rows costs nothing.
 */
final class Experts {
  private final ExpertBody body;
  private final ExpertActivation activation;
  private final int count;
  private final Parameter w1;
  private final Parameter w2;
  private final Parameter w3; // null for plain experts
  private final Parameter b1; // null without biases
  private final Parameter b2;

  /**
   * What a forward pass leaves for the way back.
   *
   * @param rows {@code [rows, width]} in the order of experts
   * @param inner {@code [rows, inner]} before the activation; the activation is computed again
   * @param upper {@code [rows, inner]} of gated experts, else null
   * @param offsets bounds of each expert's rows
   */
  record Saved(Tensor rows, Tensor inner, Tensor upper, int[] offsets) {}

  private Experts(
      MoeSettings settings,
      int width,
      int inner,
      boolean bias,
      int first,
      int count,
      Weights weights) {
    this.body = settings.structure().body();
    this.activation = settings.activation();
    this.count = count;
    Initialisation start = settings.initialisation();
    this.w1 = weights.drawn("w1", first, count, inner, width, start.ofInput(width));
    this.w3 =
        body == ExpertBody.GATED
            ? weights.drawn("w3", first, count, inner, width, start.ofInput(width))
            : null;
    this.w2 = weights.drawn("w2", first, count, width, inner, start.ofExpertOutput(inner));
    this.b1 = bias ? weights.zero("b1", count, inner) : null;
    this.b2 = bias ? weights.zero("b2", count, width) : null;
  }

  /** A range of the experts that tokens are routed to. */
  static Experts routed(
      MoeSettings settings,
      int first,
      int count,
      DType dtype,
      String name,
      long seed,
      Scope owner) {
    MoeStructure shape = settings.structure();
    Weights weights = new Weights(name + ".experts.", true, seed, dtype, owner);
    return new Experts(
        settings, shape.wireWidth(), shape.inner(), settings.expertBias(), first, count, weights);
  }

  /** The one expert that every token visits, at the width of the stream. */
  static Experts shared(MoeSettings settings, DType dtype, String name, long seed, Scope owner) {
    Weights weights = new Weights(name + ".shared.", false, seed, dtype, owner);
    return new Experts(
        settings, settings.structure().hidden(), settings.sharedInner(), false, 0, 1, weights);
  }

  /** Draws every expert by its own number, so that it is the same on whichever rank it stands. */
  private record Weights(String prefix, boolean routed, long seed, DType dtype, Scope owner) {
    Parameter drawn(String tensor, int first, int count, long out, long in, double deviation) {
      try (Scope scope = Scope.open()) {
        Tensor all = Tensor.empty(dtype, count, out, in);
        for (int expert = 0; expert < count; expert++) {
          String of = prefix + (routed ? first + expert + "." : "") + tensor;
          try (Generator generator = Generator.named(of, seed)) {
            all.select(0, expert).copyFrom(generator.normal(out, in).mul(deviation));
          }
        }
        return parameter(tensor, all);
      }
    }

    Parameter zero(String tensor, int count, long out) {
      try (Scope scope = Scope.open()) {
        return parameter(tensor, Tensor.zeros(dtype, count, out));
      }
    }

    private Parameter parameter(String tensor, Tensor all) {
      return Parameter.of(prefix + (routed ? "*." : "") + tensor, all, routed, owner);
    }
  }

  List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(w1, w2));
    Optional.ofNullable(w3).ifPresent(all::add);
    Optional.ofNullable(b1).ifPresent(all::add);
    Optional.ofNullable(b2).ifPresent(all::add);
    return all;
  }

  /** Computes rows in the order of experts. */
  Tensor forward(Saved saved, Threads threads) {
    Tensor out = Tensor.empty(saved.rows().dtype(), saved.rows().shape());
    eachExpert(
        saved.offsets(),
        threads,
        (expert, from, rows) -> {
          Tensor z = saved.rows().narrow(0, from, rows);
          Tensor inner = saved.inner().narrow(0, from, rows);
          product(inner, z, w1, expert, b1);
          Tensor active = activation.apply(inner);
          if (body == ExpertBody.GATED) {
            Tensor upper = saved.upper().narrow(0, from, rows);
            product(upper, z, w3, expert, null);
            active = active.mul(upper);
          }
          product(out.narrow(0, from, rows), active, w2, expert, b2);
        });
    return out;
  }

  /** Room for a forward pass over rows in the order of experts. */
  Saved save(Tensor rows, int[] offsets) {
    long inner = w1.value().size(1);
    return new Saved(
        rows,
        Tensor.empty(rows.dtype(), rows.size(0), inner),
        body == ExpertBody.GATED ? Tensor.empty(rows.dtype(), rows.size(0), inner) : null,
        offsets);
  }

  /** Adds the weights' gradients and returns the rows'. */
  Tensor backward(Saved saved, Tensor ofOutput, Threads threads) {
    Tensor ofRows = Tensor.empty(ofOutput.dtype(), ofOutput.shape());
    eachExpert(
        saved.offsets(),
        threads,
        (expert, from, rows) -> {
          Tensor z = saved.rows().narrow(0, from, rows);
          Tensor inner = saved.inner().narrow(0, from, rows);
          Tensor du = ofOutput.narrow(0, from, rows);
          Tensor act = activation.apply(inner);
          Tensor upper = body == ExpertBody.GATED ? saved.upper().narrow(0, from, rows) : null;
          Tensor active = upper == null ? act : act.mul(upper);
          addProduct(w2, expert, du, active);
          addSum(b2, expert, du);
          Tensor ofActive = du.matmul(w2.value().select(0, expert));
          Tensor ofAct = upper == null ? ofActive : ofActive.mul(upper);
          Tensor ofInner = activation.backward(inner, ofAct);
          addProduct(w1, expert, ofInner, z);
          addSum(b1, expert, ofInner);
          Tensor into = ofRows.narrow(0, from, rows);
          Tensor.matmulInto(into, ofInner, w1.value().select(0, expert));
          if (upper != null) {
            Tensor ofUpper = ofActive.mul(act);
            addProduct(w3, expert, ofUpper, z);
            into.addInPlace(ofUpper.matmul(w3.value().select(0, expert)));
          }
        });
    return ofRows;
  }

  private interface Work {
    void of(int expert, int from, int rows);
  }

  private void eachExpert(int[] offsets, Threads threads, Work work) {
    threads.forEach(
        count,
        expert -> {
          int rows = offsets[expert + 1] - offsets[expert];
          if (rows > 0) {
            work.of(expert, offsets[expert], rows);
          }
        });
  }

  private static void product(
      Tensor into, Tensor rows, Parameter weight, int expert, Parameter bias) {
    Tensor.matmulInto(into, rows, weight.value().select(0, expert).transpose(0, 1));
    if (bias != null) {
      into.addInPlace(bias.value().select(0, expert));
    }
  }

  private static void addProduct(Parameter weight, int expert, Tensor ofOutput, Tensor input) {
    weight.gradient().select(0, expert).addInPlace(ofOutput.transpose(0, 1).matmul(input));
  }

  private static void addSum(Parameter bias, int expert, Tensor ofOutput) {
    if (bias != null) {
      bias.gradient().select(0, expert).addInPlace(ofOutput.sum(false, 0));
    }
  }
}
