package dev.gossamer.bench.calibration;

import dev.gossamer.bench.Ranks;
import dev.gossamer.bench.Timing;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.ForcedRouting;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A small layer on this rank, of which a {@link LayerSample} is taken. */
final class LayerProbe implements AutoCloseable {
  private static final long SEED = 11;

  private final MoeStructure shape;
  private final int local;
  private final Routing routing;
  private final MoeLayer layer;
  private final Tensor x;
  private final Scope owner = Scope.detached();
  private final Map<Phase, List<Double>> runs = new EnumMap<>(Phase.class);

  /**
   * @param rows of each expert
   */
  LayerProbe(MoeStructure shape, int rows, Communicator world, Threads threads) {
    this.shape = shape;
    this.local = shape.experts() / world.size();
    this.routing =
        ForcedRouting.balanced(
            rows * local / shape.topK(), shape.topK(), shape.experts(), world.rank());
    this.layer =
        new MoeLayer(MoeSettings.of(shape), "calibration", SEED, DType.FLOAT32, world, threads);
    try (Scope scope = Scope.open();
        Generator generator = Generator.named("tokens to calibrate with", SEED)) {
      this.x = owner.adopt(generator.normal(routing.tokens(), shape.hidden()));
    }
  }

  /** Forward and backward. */
  void pass() {
    layer.clock().clear();
    try (Scope scope = Scope.open()) {
      MoePass pass = layer.forward(x, TokenBatch.of(routing.tokens()), Optional.of(routing));
      pass.backward(pass.output(), 1);
      layer.parameters().forEach(Parameter::clearGradient);
    }
    for (Phase phase : Phase.values()) {
      runs.computeIfAbsent(phase, key -> new ArrayList<>()).add(layer.clock().seconds(phase));
    }
  }

  /** What was measured until now only warmed up. */
  void forget() {
    runs.clear();
  }

  /** All ranks call it. */
  LayerSample sample(Ranks ranks) {
    Map<Phase, Double> seconds = new EnumMap<>(Phase.class);
    runs.forEach((phase, all) -> seconds.put(phase, ranks.mean(new Timing(all).median())));
    return new LayerSample(shape, local, routing.tokens(), seconds);
  }

  @Override
  public void close() {
    layer.close();
    owner.close();
  }
}
