package dev.gossamer.moe;

import dev.gossamer.moe.parallel.ExpertRows;
import dev.gossamer.moe.parallel.RowView;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Some experts of a layer, each a small network from the wire's width to an inner one and back:
 * {@code u = W2 act(W1 z + b1) + b2}, or gated {@code u = W2 (act(W1 z) * (W3 z))}. One product per
 * matrix over the rows that came for an expert, or for all; an expert without rows costs nothing.
 */
final class Experts {
  private final ExpertBody body;
  private final ExpertActivation activation;
  private final int count;
  private final int microBatches; // kept apart; 0 if none are
  private final Parameter w1;
  private final Parameter w2;
  private final Parameter w3; // null for plain experts
  private final Parameter b1; // null without biases
  private final Parameter b2;

  /**
   * What a forward pass leaves for the way back.
   *
   * @param input {@code [rows, width]} in the order of experts
   * @param inner {@code [rows, inner]} before the activation; the activation is computed again
   * @param upper {@code [rows, inner]} of gated experts, else null
   * @param rows how many of each sender for each expert
   * @param microBatch of the senders
   */
  record Saved(RowView input, Tensor inner, Tensor upper, ExpertRows rows, int microBatch) {
    void keep(Scope scope) {
      input.keep(scope);
      scope.keep(inner);
      if (upper != null) {
        scope.keep(upper);
      }
    }
  }

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
    this.microBatches = settings.parallel().elastic();
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

  /**
   * A range of the experts that tokens are routed to.
   *
   * @param senders ranks whose tokens they get
   */
  static Experts routed(
      MoeSettings settings,
      int first,
      int count,
      int senders,
      DType dtype,
      Device device,
      String name,
      long seed,
      Scope owner) {
    MoeStructure shape = settings.structure();
    int parts = settings.parallel().elastic() * senders;
    Weights weights = new Weights(name + ".experts.", true, parts, seed, dtype, device, owner);
    return new Experts(
        settings, shape.wireWidth(), shape.inner(), settings.expertBias(), first, count, weights);
  }

  /** The one expert that every token visits, at the width of the stream. */
  static Experts shared(
      MoeSettings settings, DType dtype, Device device, String name, long seed, Scope owner) {
    int parts = settings.parallel().elastic();
    Weights weights = new Weights(name + ".shared.", false, parts, seed, dtype, device, owner);
    return new Experts(
        settings, settings.structure().hidden(), settings.shared().inner(), false, 0, 1, weights);
  }

  /** Draws every expert by its own number, so that it is the same on whichever rank it stands. */
  private record Weights(
      String prefix,
      boolean routed,
      int parts,
      long seed,
      DType dtype,
      Device device,
      Scope owner) {
    Parameter drawn(String tensor, int first, int count, long out, long in, double deviation) {
      try (Scope scope = Scope.open()) {
        Tensor all = Tensor.empty(dtype, device, count, out, in);
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
        return parameter(tensor, Tensor.empty(dtype, device, count, out).fill(0));
      }
    }

    private Parameter parameter(String tensor, Tensor all) {
      return Parameter.of(prefix + (routed ? "*." : "") + tensor, all, routed, parts, owner);
    }
  }

  List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(w1, w2));
    Optional.ofNullable(w3).ifPresent(all::add);
    Optional.ofNullable(b1).ifPresent(all::add);
    Optional.ofNullable(b2).ifPresent(all::add);
    return all;
  }

  /** Room for a forward pass over rows in the order of experts. */
  Saved save(RowView input, ExpertRows rows, int microBatch) {
    long inner = w1.value().size(1);
    int total = rows.total();
    Device device = w1.value().device();
    return new Saved(
        input,
        Tensor.empty(input.compute(), device, total, inner),
        body == ExpertBody.GATED ? Tensor.empty(input.compute(), device, total, inner) : null,
        rows,
        microBatch);
  }

  /** Computes rows in the order of experts and writes what they become. */
  void forward(Saved saved, RowView output, Threads threads) {
    eachBatch(
        saved,
        threads,
        batch -> {
          Tensor z = saved.input().read(batch.from(), batch.rows());
          Tensor inner = saved.inner().narrow(0, batch.from(), batch.rows());
          batch.productInto(inner, z, w1);
          batch.addBias(inner, b1);
          Tensor active = activation.apply(inner);
          if (body == ExpertBody.GATED) {
            Tensor upper = saved.upper().narrow(0, batch.from(), batch.rows());
            batch.productInto(upper, z, w3);
            active = active.mul(upper);
          }
          Tensor given = batch.product(active, w2);
          batch.addBias(given, b2);
          output.write(batch.from(), given);
        });
  }

  /** Adds the weights' gradients and writes the rows'. */
  void backward(Saved saved, RowView ofOutput, RowView ofInput, Threads threads) {
    eachBatch(
        saved,
        threads,
        batch -> {
          Tensor z = saved.input().read(batch.from(), batch.rows());
          Tensor inner = saved.inner().narrow(0, batch.from(), batch.rows());
          Tensor du = ofOutput.read(batch.from(), batch.rows());
          Tensor act = activation.apply(inner);
          Tensor upper =
              body == ExpertBody.GATED ? saved.upper().narrow(0, batch.from(), batch.rows()) : null;
          batch.addGradient(w2, du, upper == null ? act : act.mul(upper));
          batch.addBiasGradient(b2, du);
          Tensor ofActive = batch.productBack(du, w2);
          Tensor ofAct = upper == null ? ofActive : ofActive.mul(upper);
          Tensor ofInner = activation.backward(inner, ofAct);
          batch.addGradient(w1, ofInner, z);
          batch.addBiasGradient(b1, ofInner);
          Tensor dz = batch.productBack(ofInner, w1);
          if (upper != null) {
            Tensor ofUpper = ofActive.mul(act);
            batch.addGradient(w3, ofUpper, z);
            batch.addProductBack(dz, ofUpper, w3);
          }
          ofInput.write(batch.from(), dz);
        });
  }

  /**
   * Batches on the processor are experts, shared by the threads: what a batch computes stays in the
   * cache. A card takes all experts at once, where libtorch can. In an elastic layer each sender's
   * rows are a batch: the bits of a product depend on how many rows it has, and that must not
   * depend on how many senders there are.
   */
  private void eachBatch(Saved saved, Threads threads, Consumer<ExpertBatch> work) {
    ExpertRows rows = saved.rows();
    if (microBatches == 0 && AllExperts.fit(w1.value())) {
      if (rows.total() > 0) {
        work.accept(AllExperts.of(rows, w1.value().device()));
      }
      return;
    }
    int[] offsets = rows.offsets();
    threads.forEach(
        count,
        expert -> {
          int from = offsets[expert];
          int[] batches = microBatches > 0 ? rows.counts()[expert] : new int[] {rows.of(expert)};
          for (int sender = 0; sender < batches.length; sender++) {
            if (batches[sender] > 0) {
              int part = sender * microBatches + saved.microBatch();
              work.accept(new OneExpert(expert, part, from, batches[sender]));
              from += batches[sender];
            }
          }
        });
  }
}
