package dev.gossamer.bench.calibration;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.Ranks;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.LayerCost;
import dev.gossamer.moe.plan.Placement;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.moe.plan.WireTraffic;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

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
  private static final int WARM = 2;
  private static final int RUNS = 5;

  public LayerSample {
    seconds = new EnumMap<>(seconds);
  }

  /**
   * Four shapes at each of {@link Effort#rows}, in turn, so that each finds the caches as full of
   * others as a layer of a model does. Every rank holds as many experts however many ranks there
   * are.
   */
  static List<LayerSample> take(
      Ranks ranks, Threads threads, Effort effort, BenchProgress progress) {
    int all = effort.experts() * ranks.world().size();
    List<MoeStructure> shapes =
        List.of(
            new MoeStructure.FineGrained(384, all, 4, 96, ExpertBody.PLAIN),
            new MoeStructure.BigMac(384, 96, all, 4, 384, ExpertBody.PLAIN),
            new MoeStructure.FineGrained(640, all / 2, 2, 160, ExpertBody.PLAIN),
            new MoeStructure.Vanilla(384, all / 8, 1, 1536, ExpertBody.PLAIN));
    List<LayerSample> samples = new ArrayList<>();
    for (int i = -1; i < effort.rows().size(); i++) { // the first time until everything is compiled
      int rows = effort.rows().get(Math.max(0, i));
      progress.check();
      List<LayerSample> taken = take(shapes, rows, ranks, threads);
      if (i >= 0) {
        samples.addAll(taken);
      }
    }
    return samples;
  }

  private static List<LayerSample> take(
      List<MoeStructure> shapes, int rows, Ranks ranks, Threads threads) {
    List<LayerProbe> probes = new ArrayList<>();
    try {
      for (MoeStructure shape : shapes) {
        probes.add(new LayerProbe(shape, rows, ranks.world(), threads));
      }
      for (int run = -WARM; run < RUNS; run++) {
        for (LayerProbe probe : probes) {
          probe.pass();
          if (run < 0) {
            probe.forget();
          }
          ranks.world().barrier();
        }
      }
      return probes.stream().map(probe -> probe.sample(ranks)).toList();
    } finally {
      probes.forEach(LayerProbe::close);
    }
  }

  /** Rows of a rank's experts, which are those that its tokens send. */
  double rows() {
    return (double) tokens * structure.topK();
  }

  /** All but waiting for other ranks. */
  double computeSeconds() {
    return seconds.values().stream().mapToDouble(Double::doubleValue).sum()
        - seconds(Phase.EXCHANGE);
  }

  /** What one all-to-all puts on a link of the level that separates these ranks. */
  double linkBytes(Ranks ranks) {
    int perNode = ranks.nodes() > 1 ? ranks.perNode() : 1;
    Placement group = new Placement(ranks.world().size(), perNode);
    double rowsOut = tokens * WireTraffic.of(group, Dispatch.FLAT, structure).interRowsPerToken();
    return perNode * rowsOut * structure.wireWidth() * DType.FLOAT32.bytes();
  }

  /** Operations of a rank's experts. */
  double expertFlops() {
    return 6 * rows() * structure.weightsPerExpert();
  }

  /** As the planner has it. */
  LayerCost cost(ClusterProfile profile) {
    int ranks = profile.ranks();
    PlanSettings settings =
        new PlanSettings(
            dev.gossamer.moe.plan.Phase.TRAIN,
            ranks,
            ranks,
            tokens,
            1,
            Dispatch.FLAT,
            1,
            profile.wire(),
            1,
            PlanSettings.Activations.RECOMPUTED,
            PlanSettings.Optimizer.REPLICATED);
    return new LayerCost(
        structure, new Placement(ranks, profile.ranksPerNode()), profile, settings);
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
