package dev.gossamer.bench.moe;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.RecordedRouting;
import dev.gossamer.moe.router.RoutedLayer;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Arrays;
import java.util.Optional;

/** A case of the benchmark on this rank, ready to run. */
final class MoeEntrant implements AutoCloseable {
  private static final String NAME = "bench";
  private static final long SEED = 5;

  private final MoeCase which;
  private final MoeBenchSettings settings;
  private final RankGrid grid;
  private final Threads threads;
  private final Optional<Routing> routing;
  private final MoeLayer layer;
  private final Tensor x;
  private final Scope owner = Scope.detached();
  private RecordedRouting chosen;
  private Traffic start;
  private int passes;

  /**
   * @throws dev.gossamer.tensor.failure.GossamerException if the routing does not fit the layer
   */
  MoeEntrant(
      MoeCase which, MoeBenchSettings settings, RankGrid grid, Device device, Threads threads) {
    Communicator world = grid.world();
    this.which = which;
    this.settings = settings;
    this.grid = grid;
    this.threads = threads;
    RoutedLayer routed = which.routed(settings.tokens());
    this.routing =
        settings
            .routing()
            .joined(settings.experts(), routed.experts())
            .routing(routed, world.rank(), world.size());
    MoeSettings how = MoeSettings.of(which.structure()).withParallel(settings.parallel());
    this.layer = new MoeLayer(how, NAME, SEED, DType.FLOAT32, device, grid, threads);
    try (Scope scope = Scope.open();
        Generator generator = Generator.named("tokens of rank " + world.rank(), SEED)) {
      this.x = owner.adopt(generator.normal(settings.tokens(), settings.hidden()).to(device));
    }
  }

  MoeCase which() {
    return which;
  }

  /** Forward, backward, and a wait for the slowest rank. */
  void pass() {
    try (Scope scope = Scope.open()) {
      MoePass pass = layer.forward(x, TokenBatch.of(settings.tokens()), routing);
      pass.backward(pass.output(), 1);
      if (chosen == null) {
        chosen = RecordedRouting.of(pass.choice()); // the gate never learns: each pass chooses so
      }
      layer.parameters().forEach(Parameter::clearGradient);
      grid.world().barrier();
    }
    passes++;
  }

  /**
   * What rounding the rows that travel does to the output of all ranks, as a share of its size.
   * Every rank calls it.
   */
  double wireError() {
    if (settings.wire() == DType.FLOAT32) {
      return 0;
    }
    MoeSettings exact = layer.settings().withParallel(settings.parallel().withWire(DType.FLOAT32));
    try (Scope scope = Scope.open();
        MoeLayer unrounded =
            new MoeLayer(exact, NAME, SEED, DType.FLOAT32, layer.device(), grid, threads)) {
      TokenBatch batch = TokenBatch.of(settings.tokens());
      Tensor expected = unrounded.forward(x, batch, routing).output();
      Tensor found = layer.forward(x, batch, routing).output();
      double[] squares = {
        found.sub(expected).square().sum().item(), expected.square().sum().item()
      };
      Tensor sums = Tensor.of(squares, 2);
      grid.world().allReduce(sums);
      double[] all = sums.toDoubles();
      return Math.sqrt(all[0] / all[1]);
    }
  }

  /**
   * Computes all ranks' tokens on one rank and says how far this world's outputs and gradients are
   * from that. Every rank calls it.
   */
  OneRankCheck check() {
    MoeLayer alone =
        new MoeLayer(
            layer.settings().withParallel(ParallelSettings.DEFAULT),
            NAME,
            SEED,
            DType.FLOAT32,
            layer.device(),
            RankGrid.flat(LocalRanks.alone()),
            threads);
    try (alone) {
      return OneRankCheck.of(layer, alone, x, chosen.routing(), grid.world());
    }
  }

  /** Forgets what warming up counted. */
  void begin() {
    layer.clock().clear();
    start = grid.traffic();
    passes = 0;
  }

  /** What this rank has sent since it began. */
  Traffic sent() {
    return grid.traffic().since(start);
  }

  /** Of this rank, per pass since it began. */
  double millis(Phase phase) {
    return layer.clock().seconds(phase) * 1e3 / passes;
  }

  /** What this rank's tokens chose in the first pass. */
  RecordedRouting chosen() {
    return chosen;
  }

  /** Where this rank's tokens go. */
  Routing routing() {
    return chosen.routing();
  }

  /** Slots of each expert that this rank's tokens take. */
  long[] counts() {
    return Arrays.stream(chosen.routing().counts()).asLongStream().toArray();
  }

  @Override
  public void close() {
    layer.close();
    owner.close();
  }
}
