package dev.gossamer.moe;

import static dev.gossamer.moe.parallel.PhaseClock.Phase.COMBINE;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.EXCHANGE;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.EXPERTS;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.PROJECT;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.ROUTE;
import static dev.gossamer.moe.parallel.PhaseClock.Phase.SHARED;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.parallel.ExpertPlacement;
import dev.gossamer.moe.parallel.PhaseClock;
import dev.gossamer.moe.parallel.RowExchange;
import dev.gossamer.moe.router.Choice;
import dev.gossamer.moe.router.Router;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
  private final Communicator ranks;
  private final Threads threads;
  private final ExpertPlacement placement;
  private final Router router;
  private final PhaseClock clock = new PhaseClock();
  private final Scope owner = Scope.detached();
  private final DType dtype;
  private final Parameter gate;
  private final Projection descend; // null but for BigMac
  private final Projection ascend;
  private final LatentNorm norm; // null without
  private final Experts experts;
  private final Experts shared; // null without

  /**
   * @param name prefix of the parameters' names, for example {@code layers.3.moe}
   * @param seed with the names decides every weight, whatever the number of ranks
   * @param ranks that share the experts; not closed with the layer
   * @param threads over which a rank's experts are spread
   */
  public MoeLayer(
      MoeSettings settings,
      String name,
      long seed,
      DType dtype,
      Communicator ranks,
      Threads threads) {
    this.settings = settings;
    this.ranks = ranks;
    this.threads = threads;
    this.dtype = dtype;
    MoeStructure shape = settings.structure();
    this.placement = new ExpertPlacement(shape.experts(), ranks.size());
    this.router = new Router(settings.router(), shape.experts(), shape.topK());
    Initialisation start = settings.initialisation();
    int gateWidth = settings.gateReadsLatent() ? shape.wireWidth() : shape.hidden();
    DType exact = dtype == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
    this.gate = drawn(name + ".gate", exact, seed, start.ofGate(), shape.experts(), gateWidth);
    if (shape instanceof MoeStructure.BigMac bigMac) {
      int wide = bigMac.hidden();
      int narrow = bigMac.latent();
      this.descend =
          new Projection(
              drawn(name + ".descend", dtype, seed, start.ofInput(wide), narrow, wide),
              bias(name + ".descend_bias", narrow));
      this.ascend =
          new Projection(
              drawn(name + ".ascend", dtype, seed, start.toStream(narrow), wide, narrow),
              bias(name + ".ascend_bias", wide));
      this.norm =
          settings.latentNorm() ? new LatentNorm(ones(name + ".latent_norm", narrow)) : null;
    } else {
      this.descend = null;
      this.ascend = null;
      this.norm = null;
    }
    int first = placement.first(ranks.rank());
    int count = placement.count(ranks.rank());
    this.experts = Experts.routed(settings, first, count, dtype, name, seed, owner);
    this.shared =
        settings.sharedInner() > 0 ? Experts.shared(settings, dtype, name, seed, owner) : null;
  }

  private Parameter drawn(String name, DType type, long seed, double deviation, long out, long in) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.named(name, seed)) {
      return Parameter.of(name, generator.normal(out, in).mul(deviation).to(type), false, owner);
    }
  }

  private Optional<Parameter> bias(String name, long width) {
    try (Scope scope = Scope.open()) {
      return settings.projectionBias()
          ? Optional.of(Parameter.of(name, Tensor.zeros(dtype, width), false, owner))
          : Optional.empty();
    }
  }

  private Parameter ones(String name, long width) {
    try (Scope scope = Scope.open()) {
      return Parameter.of(name, Tensor.full(1, dtype, width), false, owner);
    }
  }

  public MoeSettings settings() {
    return settings;
  }

  /** The router, whose biases a trainer balances. */
  public Router router() {
    return router;
  }

  /** Where this layer's time goes. */
  public PhaseClock clock() {
    return clock;
  }

  /** All weights of this rank, those of its experts marked. */
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(gate));
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
   * @param x {@code [tokens, hidden]} in the layer's type
   * @param forced choices made elsewhere, for benchmarks and replays
   */
  public MoePass forward(Tensor x, TokenBatch batch, Optional<Routing> forced) {
    try (Scope scope = Scope.open()) {
      Tensor z = descend == null ? x : scope.keep(timed(PROJECT, () -> descend.forward(x)));
      Tensor gateInput = settings.gateReadsLatent() ? z : x;
      Choice choice = timed(ROUTE, () -> route(gateInput, batch, forced)).keep(scope);
      List<MoePass.Chunk> chunks = chunks(choice.routing(), scope, z);
      Tensor combined = scope.keep(timed(COMBINE, () -> combined(choice, chunks)));
      Tensor normed = norm == null ? combined : scope.keep(norm.forward(combined));
      Tensor y = ascend == null ? normed : timed(PROJECT, () -> ascend.forward(normed));
      Experts.Saved ofShared = null;
      if (shared != null) {
        ofShared = keep(scope, shared.save(x, new int[] {0, (int) x.size(0)}));
        Experts.Saved saved = ofShared;
        y = y.add(timed(SHARED, () -> shared.forward(saved, threads)));
      }
      return new MoePass(this, x, z, choice, chunks, combined, normed, ofShared, scope.keep(y));
    }
  }

  private Choice route(Tensor gateInput, TokenBatch batch, Optional<Routing> forced) {
    Tensor logits = gateInput.to(gate.value().dtype()).matmul(gate.value().transpose(0, 1));
    return router.route(logits, batch, forced, ranks);
  }

  /** Each token's sum of what its experts gave, by weight, in the order of slots. */
  private Tensor combined(Choice choice, List<MoePass.Chunk> chunks) {
    Tensor weights = choice.weights().to(dtype).unsqueeze(1);
    List<Tensor> sums = new ArrayList<>();
    int token = 0;
    for (MoePass.Chunk chunk : chunks) {
      int count = (int) chunk.returned().size(0);
      sums.add(weights.narrow(0, token, count).matmul(chunk.returned()).squeeze(1));
      token += count;
    }
    return sums.size() == 1 ? sums.get(0) : Tensor.cat(0, sums);
  }

  private <T> T timed(PhaseClock.Phase phase, Supplier<T> work) {
    return clock.time(phase, work);
  }

  /** Sends the tokens in parts, so that one part travels while another is computed. */
  private List<MoePass.Chunk> chunks(Routing routing, Scope scope, Tensor z) {
    int parts = settings.chunks();
    int tokens = routing.tokens();
    RowExchange[] exchanges = exchanges(routing, parts);
    RowExchange.Journey[] outward = new RowExchange.Journey[parts];
    RowExchange.Journey[] homeward = new RowExchange.Journey[parts];
    Experts.Saved[] saved = new Experts.Saved[parts];
    outward[0] = depart(exchanges[0], z, 0, tokens / parts);
    for (int part = 0; part < parts; part++) {
      if (part + 1 < parts) {
        outward[part + 1] =
            depart(
                exchanges[part + 1], z, tokens * (part + 1) / parts, tokens * (part + 2) / parts);
      }
      Tensor rows = scope.keep(exchanges[part].inExpertOrder(outward[part], dtype));
      saved[part] = keep(scope, experts.save(rows, exchanges[part].offsets()));
      Experts.Saved one = saved[part];
      Tensor given = timed(EXPERTS, () -> experts.forward(one, threads));
      homeward[part] = exchanges[part].toTokens(given);
    }
    List<MoePass.Chunk> chunks = new ArrayList<>();
    for (int part = 0; part < parts; part++) {
      Tensor returned = scope.keep(exchanges[part].bySlot(homeward[part], dtype));
      chunks.add(new MoePass.Chunk(exchanges[part], saved[part], returned));
    }
    return chunks;
  }

  private static RowExchange.Journey depart(RowExchange exchange, Tensor z, int from, int to) {
    return exchange.toExperts(exchange.leaving(z.narrow(0, from, to - from)));
  }

  /** One exchange of counts for all parts: how many rows everybody sends to every expert. */
  private RowExchange[] exchanges(Routing routing, int parts) {
    int all = settings.structure().experts();
    int tokens = routing.tokens();
    int[] own = new int[parts * all];
    for (int part = 0; part < parts; part++) {
      int[] counts = routing.counts(tokens * part / parts, tokens * (part + 1) / parts);
      System.arraycopy(counts, 0, own, part * all, all);
    }
    int[] gathered = timed(EXCHANGE, () -> ranks.allGather(Tensor.of(own, own.length)).toInts());
    RowExchange[] exchanges = new RowExchange[parts];
    for (int part = 0; part < parts; part++) {
      int[][] counts = new int[ranks.size()][all];
      for (int rank = 0; rank < ranks.size(); rank++) {
        System.arraycopy(gathered, rank * own.length + part * all, counts[rank], 0, all);
      }
      exchanges[part] =
          RowExchange.of(
              routing,
              tokens * part / parts,
              tokens * (part + 1) / parts,
              counts,
              placement,
              ranks,
              settings.wire().orElse(dtype),
              clock);
    }
    return exchanges;
  }

  private static Experts.Saved keep(Scope scope, Experts.Saved saved) {
    scope.keep(saved.inner());
    if (saved.upper() != null) {
      scope.keep(saved.upper());
    }
    return saved;
  }

  /** The way back; see {@link MoePass#backward}. */
  Tensor backward(MoePass pass, Tensor dy, double lossScale) {
    try (Scope scope = Scope.open()) {
      Tensor ofNormed =
          ascend == null ? dy : timed(PROJECT, () -> ascend.backward(pass.normed(), dy));
      Tensor ofCombined = norm == null ? ofNormed : norm.backward(pass.combined(), ofNormed);
      Tensor weights = pass.choice().weights().to(dtype);
      int parts = pass.chunks().size();
      RowExchange.Journey[] outward = new RowExchange.Journey[parts];
      RowExchange.Journey[] homeward = new RowExchange.Journey[parts];
      List<Tensor> ofWeights = new ArrayList<>();
      int token = 0;
      int[] starts = new int[parts + 1];
      for (int part = 0; part < parts; part++) {
        int count = (int) pass.chunks().get(part).returned().size(0);
        starts[part] = token;
        token += count;
      }
      starts[parts] = token;
      outward[0] = departBack(pass, 0, starts, ofCombined, weights);
      for (int part = 0; part < parts; part++) {
        if (part + 1 < parts) {
          outward[part + 1] = departBack(pass, part + 1, starts, ofCombined, weights);
        }
        MoePass.Chunk chunk = pass.chunks().get(part);
        Tensor du = chunk.exchange().inExpertOrder(outward[part], dtype);
        Tensor dzRows = timed(EXPERTS, () -> experts.backward(chunk.saved(), du, threads));
        homeward[part] = chunk.exchange().toTokens(dzRows);
        Tensor dc = ofCombined.narrow(0, starts[part], starts[part + 1] - starts[part]);
        ofWeights.add(timed(COMBINE, () -> chunk.returned().matmul(dc.unsqueeze(2)).squeeze(2)));
      }
      List<Tensor> ofRows = new ArrayList<>();
      for (int part = 0; part < parts; part++) {
        RowExchange exchange = pass.chunks().get(part).exchange();
        ofRows.add(exchange.bySlot(homeward[part], dtype).sum(false, 1));
      }
      Tensor dz = parts == 1 ? ofRows.get(0) : Tensor.cat(0, ofRows);
      Tensor dp = parts == 1 ? ofWeights.get(0) : Tensor.cat(0, ofWeights);
      Tensor ofGateInput = timed(ROUTE, () -> routeBack(pass, dp, lossScale));
      if (settings.gateReadsLatent()) {
        dz = dz.add(ofGateInput);
      }
      Tensor ofDescended = dz;
      Tensor dx =
          descend == null ? dz : timed(PROJECT, () -> descend.backward(pass.x(), ofDescended));
      if (!settings.gateReadsLatent()) {
        dx = dx.add(ofGateInput);
      }
      if (shared != null) {
        dx = dx.add(timed(SHARED, () -> shared.backward(pass.ofShared(), dy, threads)));
      }
      return scope.keep(dx);
    }
  }

  /** Adds the gate's gradient and returns that of what it reads. */
  private Tensor routeBack(MoePass pass, Tensor ofWeights, double lossScale) {
    DType exact = gate.value().dtype();
    Tensor ofLogits = pass.choice().logitGradient(ofWeights.to(exact), lossScale);
    Tensor input = (settings.gateReadsLatent() ? pass.z() : pass.x()).to(exact);
    gate.add(ofLogits.transpose(0, 1).matmul(input));
    return ofLogits.matmul(gate.value()).to(dtype);
  }

  private static RowExchange.Journey departBack(
      MoePass pass, int part, int[] starts, Tensor ofCombined, Tensor weights) {
    int count = starts[part + 1] - starts[part];
    Tensor dc = ofCombined.narrow(0, starts[part], count).unsqueeze(1);
    Tensor p = weights.narrow(0, starts[part], count).unsqueeze(2);
    RowExchange exchange = pass.chunks().get(part).exchange();
    long slots = count * weights.size(1);
    return exchange.toExperts(exchange.leavingSlots(dc.mul(p).reshape(slots, ofCombined.size(1))));
  }

  @Override
  public void close() {
    owner.close();
  }
}
