package dev.gossamer.moe;

import static dev.gossamer.moe.parallel.PhaseClock.Phase.EXPERTS;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.PROJECT;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.ROUTE;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.SHARED;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.moe.parallel.ExpertParallel;
import dev.gossamer.moe.parallel.ExpertPlacement;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.parallel.PhaseClock;
import dev.gossamer.moe.parallel.RowView;
import dev.gossamer.moe.parallel.TokenDispatch;
import dev.gossamer.moe.parallel.TokenDispatch.Gradients;
import dev.gossamer.moe.router.Choice;
import dev.gossamer.moe.router.Router;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/**
 * A mixture of experts over the ranks of a group, with its way back written out. BigMac (arXiv
 * 2502.16927): the gate reads the wide token x; {@code x' = x Wd^T} is narrowed once, travels
 * narrow to its experts and back; {@code y' = sum_j p_j E_j(x')} is summed narrow, at its source;
 * {@code y = y' Wa^T} is widened once. Vanilla and fine-grained structures are the same without the
 * two projections. A shared expert reads and writes the wide stream and never travels.
 *
 * <p>Every rank calls {@link #forward} and {@link MoePass#backward} with its own tokens, which may
 * be none. Weights are float32 or float64, or bf16 with gate and router in float32.
 */
public final class MoeLayer implements AutoCloseable {
  private final MoeSettings settings;
  private final String name;
  private final Threads threads;
  private final ExpertParallel parallel;
  private final Router router;
  private final PhaseClock clock;
  private final Scope owner = Scope.detached();
  private final DType dtype;
  private final Device device;
  private final Projection gate;
  private final Projection descend; // null but for BigMac
  private final Projection ascend;
  private final LatentNorm norm; // null without
  private final int firstExpert;
  private final Experts experts;
  private final SharedExpert shared; // null without

  /**
   * A layer on the processor whose ranks are all neighbours.
   *
   * @param ranks that share the experts; not closed with the layer
   */
  public MoeLayer(
      MoeSettings settings,
      String name,
      long seed,
      DType dtype,
      Communicator ranks,
      Threads threads) {
    this(settings, name, seed, dtype, Device.CPU, RankGrid.flat(ranks), threads);
  }

  /**
   * @param name prefix of the parameters' names, for example {@code layers.3.moe}
   * @param seed with the names decides every weight, whatever the number of ranks
   * @param device where its weights are and its tokens come; a card rates its tokens, and the
   *     processor lays out where they go
   * @param grid the ranks that share the experts, and their nodes; not closed with the layer
   * @param threads over which a rank's experts are spread; one is enough for a card
   */
  public MoeLayer(
      MoeSettings settings,
      String name,
      long seed,
      DType dtype,
      Device device,
      RankGrid grid,
      Threads threads) {
    this.settings = settings;
    this.name = name;
    this.threads = threads;
    this.dtype = dtype;
    this.device = device;
    this.clock = PhaseClock.of(device);
    MoeStructure shape = settings.structure();
    ParallelSettings ways = settings.parallel();
    this.parallel =
        new ExpertParallel(
            grid,
            ways.dispatch(),
            shape.experts(),
            ways.receiveLimit(),
            ways.wire().orElse(dtype),
            dtype,
            device,
            threads,
            clock);
    this.router = new Router(settings.router(), shape.experts(), shape.topK());
    Initialisation start = settings.initialisation();
    int gateWidth = settings.gateReadsLatent() ? shape.wireWidth() : shape.hidden();
    DType exact = dtype == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
    this.gate =
        new Projection(
            drawn(name + ".gate", exact, seed, start.ofGate(), shape.experts(), gateWidth),
            Optional.empty());
    if (shape instanceof MoeStructure.BigMac bigMac) {
      int wide = bigMac.hidden();
      int narrow = bigMac.latent();
      this.descend =
          new Projection(
              drawn(name + ".descend", dtype, seed, start.ofInput(wide), narrow, wide),
              bias(name + ".descend_bias", narrow));
      this.ascend =
          new Projection(
              drawn(name + ".ascend", dtype, seed, start.ofAscent(narrow), wide, narrow),
              bias(name + ".ascend_bias", wide));
      this.norm =
          settings.latentNorm() ? new LatentNorm(ones(name + ".latent_norm", narrow)) : null;
    } else {
      this.descend = null;
      this.ascend = null;
      this.norm = null;
    }
    ExpertPlacement placement = parallel.placement();
    int self = grid.world().rank();
    this.firstExpert = placement.first(self);
    this.experts =
        Experts.routed(
            settings,
            firstExpert,
            placement.count(self),
            grid.world().size(),
            dtype,
            device,
            name,
            seed,
            owner);
    this.shared = settings.shared().inner() > 0 ? shared(seed) : null;
  }

  private SharedExpert shared(long seed) {
    int hidden = settings.structure().hidden();
    double deviation = settings.initialisation().ofInput(hidden);
    Projection weigh =
        settings.shared().gated()
            ? new Projection(
                drawn(name + ".shared_gate", dtype, seed, deviation, 1, hidden), Optional.empty())
            : null;
    Experts expert = Experts.shared(settings, dtype, device, name, seed, owner);
    return new SharedExpert(expert, weigh, dtype, threads);
  }

  private Parameter drawn(String name, DType type, long seed, double deviation, long out, long in) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.named(name, seed)) {
      return Parameter.of(
          name,
          generator.normal(out, in).mul(deviation).to(type).to(device),
          false,
          settings.parallel().elastic(),
          owner);
    }
  }

  private Optional<Parameter> bias(String name, long width) {
    try (Scope scope = Scope.open()) {
      return settings.projectionBias()
          ? Optional.of(
              Parameter.of(name, full(0, width), false, settings.parallel().elastic(), owner))
          : Optional.empty();
    }
  }

  private Parameter ones(String name, long width) {
    try (Scope scope = Scope.open()) {
      return Parameter.of(name, full(1, width), false, settings.parallel().elastic(), owner);
    }
  }

  private Tensor full(double value, long width) {
    return Tensor.empty(dtype, device, width).fill(value);
  }

  public MoeSettings settings() {
    return settings;
  }

  /** The router, whose biases a trainer balances. */
  public Router router() {
    return router;
  }

  /** Number of this rank's first expert. */
  public int firstExpert() {
    return firstExpert;
  }

  /** Where this layer's time goes. */
  public PhaseClock clock() {
    return clock;
  }

  /** Where its weights are and its tokens come. */
  public Device device() {
    return device;
  }

  /** All weights of this rank, those of its experts marked. */
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(gate.parameters());
    for (Projection projection : new Projection[] {descend, ascend}) {
      if (projection != null) {
        all.addAll(projection.parameters());
      }
    }
    if (norm != null) {
      all.add(norm.weight());
    }
    all.addAll(experts.parameters());
    if (shared != null) {
      all.addAll(shared.parameters());
    }
    return all;
  }

  /** Routes and computes this rank's tokens as one sequence. */
  public MoePass forward(Tensor x) {
    return forward(x, TokenBatch.of((int) x.size(0)), Optional.empty());
  }

  /**
   * Routes and computes this rank's tokens. Everything kept for the way back belongs to the
   * caller's scope.
   *
   * @param x {@code [tokens, hidden]} in the layer's type, on its device
   * @param forced choices made elsewhere, for benchmarks and replays
   */
  public MoePass forward(Tensor x, TokenBatch batch, Optional<Routing> forced) {
    try (Scope scope = Scope.open()) {
      Tensor z =
          descend == null ? x : scope.keep(timed(PROJECT, () -> descend.forward(x, threads)));
      Tensor gateInput = settings.gateReadsLatent() ? z : x;
      Choice choice = timed(ROUTE, () -> route(gateInput, batch, forced)).keep(scope);
      Tensor weights = choice.weights().to(dtype);
      int parts = settings.parallel().chunks();
      List<TokenDispatch> ways = parallel.plan(name, choice.routing(), weights, parts);
      Experts.Saved[] saved = new Experts.Saved[parts];
      SharedExpert.Pass[] beside = new SharedExpert.Pass[1];
      pipelined(
          ways,
          part -> ways.get(part).depart(some(z, part, parts)),
          () ->
              beside[0] =
                  shared == null ? null : timed(SHARED, () -> shared.forward(x, batch.number())),
          part -> {
            TokenDispatch way = ways.get(part);
            saved[part] = experts.save(way.arrive(), way.expertRows(), batch.number());
            RowView results = way.room();
            timed(EXPERTS, () -> experts.forward(saved[part], results, threads));
            way.giveBack(results);
          });
      Tensor combined = scope.keep(joined(ways.stream().map(TokenDispatch::combined).toList()));
      ways.forEach(way -> way.keep(scope));
      for (Experts.Saved one : saved) {
        one.keep(scope);
      }
      Tensor normed = norm == null ? combined : scope.keep(norm.forward(combined));
      Tensor y = ascend == null ? normed : timed(PROJECT, () -> ascend.forward(normed, threads));
      if (shared != null) {
        beside[0].keep(scope);
        y = y.add(beside[0].output());
      }
      List<Experts.Saved> all = List.of(saved);
      return new MoePass(
          this,
          x,
          z,
          choice,
          batch.number(),
          ways,
          all,
          combined,
          normed,
          beside[0],
          scope.keep(y));
    }
  }

  private Choice route(Tensor gateInput, TokenBatch batch, Optional<Routing> forced) {
    Tensor logits = gate.forward(gateInput.to(gate.weight().value().dtype()), threads);
    Tensor finite = logits.isFinite();
    if (!finite.all().isTrue()) {
      int[] tokens = finite.to(DType.INT32).sum(false, 1).toInts();
      int token = 0;
      while (tokens[token] == logits.size(1)) {
        token++;
      }
      throw new GossamerException(
          "The gate of " + name + " cannot rate token " + token + ": not all logits are finite",
          "Lower the learning rate, or see what made the token's row overflow");
    }
    return router.route(logits, batch, forced, parallel.ranks());
  }

  private <T> T timed(PhaseClock.Phase phase, Supplier<T> work) {
    return clock.time(phase, work);
  }

  private void timed(PhaseClock.Phase phase, Runnable work) {
    clock.time(
        phase,
        () -> {
          work.run();
          return null;
        });
  }

  /** One part travels while another is computed, the first while something else is. */
  private static void pipelined(
      List<TokenDispatch> ways, IntConsumer depart, Runnable meanwhile, IntConsumer compute) {
    depart.accept(0);
    meanwhile.run();
    for (int part = 0; part < ways.size(); part++) {
      if (part + 1 < ways.size()) {
        depart.accept(part + 1);
      }
      compute.accept(part);
    }
  }

  private static Tensor some(Tensor rows, int part, int parts) {
    int tokens = (int) rows.size(0);
    int from = ExpertParallel.start(tokens, part, parts);
    return rows.narrow(0, from, ExpertParallel.start(tokens, part + 1, parts) - from);
  }

  private static Tensor joined(List<Tensor> parts) {
    return parts.size() == 1 ? parts.get(0) : Tensor.cat(0, parts);
  }

  /** The way back; see {@link MoePass#backward}. */
  Tensor backward(MoePass pass, Tensor dy, double lossScale) {
    try (Scope scope = Scope.open()) {
      int microBatch = pass.microBatch();
      Tensor ofNormed =
          ascend == null
              ? dy
              : timed(PROJECT, () -> ascend.backward(pass.normed(), dy, microBatch, threads));
      Tensor ofCombined =
          norm == null ? ofNormed : norm.backward(pass.combined(), ofNormed, microBatch);
      List<TokenDispatch> ways = pass.ways();
      Tensor[] beside = new Tensor[1];
      pipelined(
          ways,
          part -> ways.get(part).departBack(some(ofCombined, part, ways.size())),
          () ->
              beside[0] =
                  shared == null
                      ? null
                      : timed(SHARED, () -> shared.backward(pass.ofShared(), dy, microBatch)),
          part -> {
            TokenDispatch way = ways.get(part);
            RowView ofResults = way.arriveBack();
            RowView ofRows = way.room();
            Experts.Saved saved = pass.saved().get(part);
            timed(EXPERTS, () -> experts.backward(saved, ofResults, ofRows, threads));
            way.giveBack(ofRows);
          });
      List<Gradients> home = ways.stream().map(TokenDispatch::gradients).toList();
      Tensor dz = joined(home.stream().map(Gradients::ofTokens).toList());
      Tensor dp = joined(home.stream().map(Gradients::ofWeights).toList());
      if (settings.gateReadsLatent()) {
        dz = routeBack(pass, pass.z(), dp, dz, lossScale);
      }
      Tensor ofDescended = dz;
      Tensor dx =
          descend == null
              ? dz
              : timed(PROJECT, () -> descend.backward(pass.x(), ofDescended, microBatch, threads));
      if (!settings.gateReadsLatent()) {
        dx = routeBack(pass, pass.x(), dp, dx, lossScale);
      }
      if (shared != null) {
        dx = dx.add(beside[0]);
      }
      return scope.keep(dx);
    }
  }

  /** Adds the gate's gradient, and to that of what it reads its share. */
  private Tensor routeBack(
      MoePass pass, Tensor input, Tensor ofWeights, Tensor ofInput, double lossScale) {
    return timed(
        ROUTE,
        () -> {
          DType exact = gate.weight().value().dtype();
          int microBatch = pass.microBatch();
          Tensor ofLogits = pass.choice().logitGradient(ofWeights.to(exact), lossScale);
          if (exact != dtype) {
            Tensor share = gate.backward(input.to(exact), ofLogits, microBatch, threads);
            return ofInput.add(share.to(dtype));
          }
          gate.backwardInto(ofInput, input, ofLogits, microBatch, threads);
          return ofInput;
        });
  }

  @Override
  public void close() {
    owner.close();
  }
}
