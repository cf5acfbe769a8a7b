package dev.gossamer.bench.calibration;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.Timing;
import dev.gossamer.moe.ExpertBody;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * One small layer forward and backward over all ranks, evenly routed: where its time goes.
 *
 * @param structure its shape
 * @param local experts of a rank
 * @param tokens of a rank
 * @param seconds of each phase, median of several passes, mean of all ranks
 */
public record LayerSample(
    MoeStructure structure, int local, int tokens, Map<Phase, Double> seconds) {
  private static final int RUNS = 5;
  private static final long SEED = 11;

  /** Rows of an expert at which its rate is measured. */
  static final List<Integer> ROWS = List.of(8, 32, 128, 512);

  public LayerSample {
    seconds = new EnumMap<>(seconds);
  }

  /** Four shapes at each of {@link #ROWS}; every rank holds as many experts however many it is. */
  static List<LayerSample> take(Ranks ranks, Threads threads, BenchProgress progress) {
    int size = ranks.world().size();
    List<MoeStructure> shapes =
        List.of(
            new MoeStructure.FineGrained(384, 32 * size, 4, 96, ExpertBody.PLAIN),
            new MoeStructure.BigMac(384, 96, 32 * size, 4, 384, ExpertBody.PLAIN),
            new MoeStructure.FineGrained(640, 16 * size, 2, 160, ExpertBody.PLAIN),
            new MoeStructure.Vanilla(384, 4 * size, 1, 1536, ExpertBody.PLAIN));
    List<LayerSample> samples = new ArrayList<>();
    for (MoeStructure shape : shapes) { // until the machine has compiled what it runs
      take(shape, ROWS.get(0), ranks, threads);
      take(shape, ROWS.get(1), ranks, threads);
    }
    for (MoeStructure shape : shapes) {
      for (int rows : ROWS) {
        progress.check();
        samples.add(take(shape, rows, ranks, threads));
      }
    }
    return samples;
  }

  private static LayerSample take(MoeStructure shape, int rows, Ranks ranks, Threads threads) {
    int local = shape.experts() / ranks.world().size();
    int tokens = rows * local / shape.topK();
    Routing routing =
        ForcedRouting.balanced(tokens, shape.topK(), shape.experts(), ranks.world().rank());
    Map<Phase, List<Double>> runs = new EnumMap<>(Phase.class);
    try (Scope scope = Scope.open();
        Generator generator = Generator.named("tokens to calibrate with", SEED);
        MoeLayer layer =
            new MoeLayer(
                MoeSettings.of(shape),
                "calibration",
                SEED,
                DType.FLOAT32,
                ranks.world(),
                threads)) {
      Tensor x = generator.normal(tokens, shape.hidden());
      for (int run = -1; run < RUNS; run++) {
        layer.clock().clear();
        pass(layer, x, routing);
        for (Phase phase : Phase.values()) {
          if (run >= 0) { // the first one warms up
            runs.computeIfAbsent(phase, key -> new ArrayList<>()).add(layer.clock().seconds(phase));
          }
        }
        ranks.world().barrier();
      }
    }
    Map<Phase, Double> seconds = new EnumMap<>(Phase.class);
    runs.forEach((phase, all) -> seconds.put(phase, ranks.mean(new Timing(all).median())));
    return new LayerSample(shape, local, tokens, seconds);
  }

  private static void pass(MoeLayer layer, Tensor x, Routing routing) {
    try (Scope scope = Scope.open()) {
      MoePass pass = layer.forward(x, TokenBatch.of(routing.tokens()), Optional.of(routing));
      pass.backward(pass.output(), 1);
      layer.parameters().forEach(Parameter::clearGradient);
    }
  }

  /** Rows of a rank's experts, which are those that its tokens send. */
  double rows() {
    return (double) tokens * structure.topK();
  }

  /** Operations of a rank's experts. */
  double expertFlops() {
    return 6 * rows() * structure.weightsPerExpert();
  }

  double seconds(Phase phase) {
    return seconds.get(phase);
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("structure", structure.getClass().getSimpleName());
    document.put("wireWidth", structure.wireWidth());
    document.put("inner", structure.inner());
    document.put("rowsPerExpert", Math.round(rows() / local));
    document.put("tokens", tokens);
    document.put("expertGflops", expertFlops() / seconds(Phase.EXPERTS) / 1e9);
    Map<String, Object> millis = new LinkedHashMap<>();
    seconds.forEach(
        (phase, value) -> millis.put(phase.name().toLowerCase(Locale.ROOT), 1e3 * value));
    document.put("phaseMillis", millis);
    return document;
  }
}
