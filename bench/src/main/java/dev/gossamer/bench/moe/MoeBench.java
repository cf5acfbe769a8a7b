package dev.gossamer.bench.moe;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.Ranks;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.ExpertPlacement;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.parallel.RoutedTraffic;
import dev.gossamer.moe.router.RecordedRouting;
import dev.gossamer.moe.router.RoutingFile;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * {@code gossamer bench moe}: one layer forward and backward over the ranks of a world. The
 * structures take turns in the same run; a run is over when the slowest rank is done. BigMac holds
 * as many weights as the fine-grained layer, the vanilla layer too, whose few wide experts each
 * token visits once.
 *
 * <p>Every rank calls {@link #run}; all get the same report.
 */
public final class MoeBench {
  /** The structure against which the others stand. */
  static final String RIVAL = "fine-grained";

  /** How far ranks may be from one rank, as a share of the largest number. */
  private static final double EXACT = 1e-4;

  private static final double ROUNDED = 5e-2;

  private final MoeBenchSettings settings;
  private final RankGrid grid;
  private final Communicator world;
  private final Ranks ranks;
  private final Device device;
  private final Threads threads;
  private final BenchProgress progress;
  private final List<BenchRow> rows = new ArrayList<>();
  private final Map<String, RecordedRouting> record = new LinkedHashMap<>();

  private MoeBench(
      MoeBenchSettings settings,
      RankGrid grid,
      Device device,
      Threads threads,
      BenchProgress progress) {
    this.settings = settings;
    this.grid = grid;
    this.world = grid.world();
    this.ranks = new Ranks(world, settings.ranksPerNode());
    this.device = device;
    this.threads = threads;
    this.progress = progress;
  }

  /**
   * Measures on this rank, together with all others.
   *
   * @param device where this rank's layer is
   * @throws dev.gossamer.tensor.failure.GossamerException if ranks differ in their settings, the
   *     routing does not fit, it cannot be recorded, or ranks compute anything else than one rank
   */
  public static BenchReport run(
      MoeBenchSettings settings,
      Communicator world,
      Device device,
      Threads threads,
      BenchProgress progress) {
    MachineFacts machine = MachineFacts.now();
    world.agree("the settings of the benchmark", settings.toString());
    if (world.rank() == 0) {
      settings.record().ifPresent(PartFile::new); // refuses before anything is measured
    }
    try (RankGrid grid = settings.grid(world)) {
      MoeBench bench = new MoeBench(settings, grid, device, threads, progress);
      for (int top : settings.topK()) {
        progress.note("top-" + top + ", " + world.size() + " ranks");
        bench.measure(top);
      }
      settings.record().ifPresent(file -> RoutingFile.write(file, world, bench.record));
      return new BenchReport(machine.document(), bench.document(), bench.rows);
    }
  }

  private Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("ranks", world.size());
    document.put("device", device.isCpu() ? "cpu" : "cuda");
    document.put("threads", threads.count());
    document.put("hidden", settings.hidden());
    document.put("experts", settings.experts());
    document.put("topK", settings.topK());
    document.put("inner", settings.inner());
    document.put("latent", settings.latent());
    document.put("tokens", settings.tokens());
    document.put("chunks", settings.parallel().chunks());
    document.put("dispatch", Words.of(settings.parallel().dispatch()));
    document.put("wire", settings.wire().optionName());
    document.put("ranksPerNode", settings.ranksPerNode());
    document.put("routing", settings.routing().toString());
    document.put("runs", settings.runs());
    return document;
  }

  private void measure(int top) {
    List<MoeEntrant> entrants = new ArrayList<>();
    try (PlainProduct plain = new PlainProduct(device, threads)) {
      for (MoeCase which : settings.cases(top)) {
        entrants.add(new MoeEntrant(which, settings, grid, device, threads));
      }
      // Traffic is one counter for all, so each is counted by a pass of its own.
      List<Traffic> sent = new ArrayList<>();
      List<Double> errors = new ArrayList<>();
      List<Optional<OneRankCheck>> checks = new ArrayList<>();
      for (MoeEntrant entrant : entrants) {
        entrant.pass();
        entrant.begin();
        entrant.pass();
        sent.add(entrant.sent());
        errors.add(entrant.wireError());
        checks.add(settings.check() ? Optional.of(checked(entrant)) : Optional.empty());
        entrant.begin();
        record.put(entrant.which().routed(settings.tokens()).name(), entrant.chosen());
      }
      List<Runnable> works = new ArrayList<>();
      entrants.forEach(entrant -> works.add(entrant::pass));
      works.add(plain::multiply);
      List<Timing> timings = TurnByTurn.measure(works, settings.runs(), progress);
      int rival = 0;
      for (int i = 0; i < entrants.size(); i++) {
        Map<String, Object> figures = figures(entrants.get(i), sent.get(i));
        figures.put(
            "plainGflops", ranks.mean(plain.flops() / timings.get(entrants.size()).median() / 1e6));
        checks.get(i).ifPresent(check -> put(figures, check));
        MoeCase which = entrants.get(i).which();
        rows.add(row(which, timings.get(i), timings.get(rival), errors.get(i), figures));
      }
    } finally {
      entrants.forEach(MoeEntrant::close);
    }
  }

  private OneRankCheck checked(MoeEntrant entrant) {
    OneRankCheck check = entrant.check();
    double allowed = settings.wire() == DType.FLOAT32 ? EXACT : ROUNDED;
    if (!(Math.max(check.output(), check.gradient()) <= allowed)) {
      throw new GossamerException(
          String.format(
              Locale.ROOT,
              "%d ranks compute something else than one rank: %s is off by %.1e, its gradients by"
                  + " %.1e",
              world.size(),
              entrant.which().routed(settings.tokens()).name(),
              check.output(),
              check.gradient()),
          "Do not trust results of these ranks; run each pair of machines alone to find the cause");
    }
    return check;
  }

  private static void put(Map<String, Object> figures, OneRankCheck check) {
    figures.put(MoeBenchTable.OUTPUT, check.output());
    figures.put(MoeBenchTable.GRADIENTS, check.gradient());
  }

  private BenchRow row(
      MoeCase which, Timing timing, Timing rival, double error, Map<String, Object> figures) {
    return new BenchRow(
        "top-" + which.top() + " on " + world.size() + " ranks",
        which.name(),
        RIVAL,
        timing,
        rival,
        error,
        figures);
  }

  private Map<String, Object> figures(MoeEntrant entrant, Traffic sent) {
    MoeStructure shape = entrant.which().structure();
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("topK", entrant.which().top());
    figures.put("weights", shape.expertWeights() + shape.projectionWeights() + shape.gateWeights());
    figures.put("activeWeights", shape.activeWeights());
    figures.put("forwardFlopsPerToken", 2 * shape.activeWeights());
    double total = 0;
    Map<String, Object> phases = new LinkedHashMap<>();
    for (Phase phase : Phase.values()) {
      double millis = ranks.mean(entrant.millis(phase));
      total += millis;
      phases.put(phase.name().toLowerCase(Locale.ROOT), millis);
    }
    double exchange = (double) phases.get("exchange");
    figures.put("phaseMillis", phases);
    figures.put("exchangeShare", total == 0 ? 0 : exchange / total);
    double experts = (double) phases.get("experts");
    double flops = 6.0 * settings.tokens() * shape.topK() * shape.weightsPerExpert();
    double moving = 0;
    for (Phase phase : List.of(Phase.ROUTE, Phase.PERMUTE, Phase.COMBINE)) {
      moving += (double) phases.get(phase.name().toLowerCase(Locale.ROOT));
    }
    figures.put("routeAndCombineShare", total == 0 ? 0 : moving / total);
    figures.put("expertGflops", experts == 0 ? 0 : flops / experts / 1e6);
    figures.put("wireBytes", ranks.sum(sent.remoteBytes()));
    figures.put("wireBytesPredicted", predictedBytes(entrant, shape));
    figures.put("betweenNodesBytes", ranks.sum(sent.bytesBetweenNodes(settings.ranksPerNode())));
    long[] counts = summed(entrant.counts());
    figures.put("loadMaxOverMean", maxOverMean(counts));
    figures.put("rankLoadMaxOverMean", maxOverMean(byRank(counts)));
    return figures;
  }

  /** Of all ranks, from where their tokens go. */
  private long predictedBytes(MoeEntrant entrant, MoeStructure shape) {
    ExpertPlacement placement = ExpertPlacement.even(shape.experts(), world.size());
    return RoutedTraffic.of(
            settings.parallel().dispatch(),
            Routings.ofAll(entrant.routing(), world),
            placement,
            grid.perNode())
        .bytes(shape.wireWidth(), settings.wire().bytes(), shape.topK(), DType.FLOAT32.bytes());
  }

  private long[] summed(long[] counts) {
    try (Scope scope = Scope.open()) {
      Tensor sum = Tensor.of(counts, counts.length);
      world.allReduce(sum);
      return sum.toLongs();
    }
  }

  /** Rows that each rank's experts take. */
  private long[] byRank(long[] counts) {
    ExpertPlacement placement = ExpertPlacement.even(counts.length, world.size());
    long[] rows = new long[world.size()];
    for (int rank = 0; rank < rows.length; rank++) {
      rows[rank] = Arrays.stream(counts, placement.first(rank), placement.first(rank + 1)).sum();
    }
    return rows;
  }

  private static double maxOverMean(long[] counts) {
    double mean = Arrays.stream(counts).average().orElse(0);
    return mean == 0 ? 0 : Arrays.stream(counts).max().orElse(0) / mean;
  }
}
