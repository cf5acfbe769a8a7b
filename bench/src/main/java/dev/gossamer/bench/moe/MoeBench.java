package dev.gossamer.bench.moe;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.parallel.ParallelSettings;
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
  private static final String RIVAL = "fine-grained";
  private static final long SEED = 5;

  private final MoeBenchSettings settings;
  private final Communicator world;
  private final Threads threads;
  private final BenchProgress progress;
  private final List<BenchRow> rows = new ArrayList<>();

  private MoeBench(
      MoeBenchSettings settings, Communicator world, Threads threads, BenchProgress progress) {
    this.settings = settings;
    this.world = world;
    this.threads = threads;
    this.progress = progress;
  }

  /** Measures on this rank, together with all others. */
  public static BenchReport run(
      MoeBenchSettings settings, Communicator world, Threads threads, BenchProgress progress) {
    MachineFacts machine = MachineFacts.now();
    world.agree("the settings of the benchmark", settings.toString());
    MoeBench bench = new MoeBench(settings, world, threads, progress);
    for (int top : settings.topK()) {
      progress.note("top-" + top + ", " + world.size() + " ranks");
      bench.measure(top);
    }
    return new BenchReport(machine.document(), bench.document(), bench.rows);
  }

  private Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("ranks", world.size());
    document.put("threads", threads.count());
    document.put("hidden", settings.hidden());
    document.put("experts", settings.experts());
    document.put("topK", settings.topK());
    document.put("inner", settings.inner());
    document.put("latent", settings.latent());
    document.put("tokens", settings.tokens());
    document.put("chunks", settings.chunks());
    document.put("wire", settings.wire().orElse(DType.FLOAT32).optionName());
    document.put("ranksPerNode", settings.ranksPerNode());
    document.put("routing", settings.balanced() ? "balanced" : "of an untrained gate");
    document.put("runs", settings.runs());
    return document;
  }

  /** One structure, ready to run. */
  private final class Entrant implements AutoCloseable {
    private final String name;
    private final MoeStructure structure;
    private final MoeLayer layer;
    private final Optional<Routing> routing;
    private final Tensor x;
    private final Scope owner = Scope.detached();
    private int[] counts = new int[0];
    private Traffic start;
    private int passes;

    Entrant(String name, MoeStructure structure) {
      this.name = name;
      this.structure = structure;
      ParallelSettings ways =
          new ParallelSettings(
              Dispatch.FLAT, settings.wire(), settings.chunks(), Integer.MAX_VALUE, 0);
      MoeSettings how = MoeSettings.of(structure).withParallel(ways);
      this.layer = new MoeLayer(how, "bench", SEED, DType.FLOAT32, world, threads);
      this.routing =
          settings.balanced()
              ? Optional.of(
                  ForcedRouting.balanced(
                      settings.tokens(), structure.topK(), structure.experts(), world.rank()))
              : Optional.empty();
      try (Scope scope = Scope.open();
          Generator generator = Generator.named("tokens of rank " + world.rank(), SEED)) {
        this.x = owner.adopt(generator.normal(settings.tokens(), settings.hidden()));
      }
    }

    void pass() {
      try (Scope scope = Scope.open()) {
        MoePass pass = layer.forward(x, TokenBatch.of(settings.tokens()), routing);
        pass.backward(pass.output(), 1);
        counts = pass.choice().routing().counts();
        layer.parameters().forEach(Parameter::clearGradient);
        world.barrier();
      }
      passes++;
    }

    /** Forgets what warming up counted. */
    void begin() {
      layer.clock().clear();
      start = world.traffic();
      passes = 0;
    }

    @Override
    public void close() {
      layer.close();
      owner.close();
    }
  }

  private void measure(int top) {
    List<Entrant> entrants = new ArrayList<>();
    try {
      settings.structures(top).forEach((name, shape) -> entrants.add(new Entrant(name, shape)));
      // Traffic is one counter for all, so each is counted by a pass of its own.
      List<long[]> bytes = new ArrayList<>();
      for (Entrant entrant : entrants) {
        entrant.pass();
        entrant.begin();
        entrant.pass();
        Traffic sent = world.traffic().since(entrant.start);
        bytes.add(new long[] {sent.remoteBytes(), sent.bytesBetweenNodes(settings.ranksPerNode())});
        entrant.begin();
      }
      List<Runnable> works = new ArrayList<>();
      entrants.forEach(entrant -> works.add(entrant::pass));
      List<Timing> timings = TurnByTurn.measure(works, settings.runs(), progress);
      int rival = 0;
      for (int i = 0; i < entrants.size(); i++) {
        rows.add(row(top, entrants.get(i), timings.get(i), timings.get(rival), bytes.get(i)));
      }
    } finally {
      entrants.forEach(Entrant::close);
    }
  }

  private BenchRow row(int top, Entrant entrant, Timing timing, Timing rival, long[] bytes) {
    Map<String, Object> more = new LinkedHashMap<>();
    MoeStructure shape = entrant.structure;
    more.put("weights", shape.expertWeights() + shape.projectionWeights() + shape.gateWeights());
    double total = 0;
    Map<String, Object> phases = new LinkedHashMap<>();
    for (Phase phase : Phase.values()) {
      double millis = mean(entrant.layer.clock().seconds(phase) * 1e3 / entrant.passes);
      total += millis;
      phases.put(phase.name().toLowerCase(Locale.ROOT), millis);
    }
    double exchange = (double) phases.get("exchange");
    more.put("phaseMillis", phases);
    more.put("exchangeShare", total == 0 ? 0 : exchange / total);
    double experts = (double) phases.get("experts");
    double flops = 6.0 * settings.tokens() * shape.topK() * shape.weightsPerExpert();
    more.put("expertGflops", experts == 0 ? 0 : flops / experts / 1e6);
    more.put("wireBytes", sum(bytes[0]));
    more.put("wireBytesPredicted", predictedBytes(shape));
    more.put("betweenNodesBytes", sum(bytes[1]));
    more.put("loadMaxOverMean", load(entrant.counts));
    return new BenchRow(
        "top-" + top + " on " + world.size() + " ranks",
        entrant.name,
        RIVAL,
        timing,
        rival,
        Double.NaN,
        more);
  }

  /** Of all ranks: four exchanges of k rows a token, of which one in so many ranks stays. */
  private long predictedBytes(MoeStructure shape) {
    int bytes = settings.wire().orElse(DType.FLOAT32).bytes();
    return 4L * settings.tokens() * shape.wireElementsPerToken() * bytes * (world.size() - 1);
  }

  private double mean(double value) {
    try (Scope scope = Scope.open()) {
      Tensor sum = Tensor.of(new double[] {value}, 1);
      world.allReduce(sum);
      return sum.item() / world.size();
    }
  }

  private long sum(long value) {
    try (Scope scope = Scope.open()) {
      Tensor sum = Tensor.of(new long[] {value}, 1);
      world.allReduce(sum, Reduction.SUM);
      return (long) sum.item();
    }
  }

  private double load(int[] counts) {
    try (Scope scope = Scope.open()) {
      Tensor sum = Tensor.of(Arrays.stream(counts).asLongStream().toArray(), counts.length);
      world.allReduce(sum);
      double[] all = sum.toDoubles();
      double mean = Arrays.stream(all).average().orElse(0);
      return mean == 0 ? 0 : Arrays.stream(all).max().orElse(0) / mean;
    }
  }

  /** The table that a person reads. */
  public static String table(BenchReport report) {
    TextTable table =
        new TextTable(
            "case",
            "structure",
            "ms",
            "quartiles",
            "x fine-grained",
            "exchange",
            "experts GFLOP/s",
            "wire MB",
            "predicted",
            "between nodes",
            "load max/mean");
    for (BenchRow row : report.rows()) {
      Timing timing = row.subjectTiming();
      table.row(
          row.benchCase(),
          row.subject(),
          figure("%.1f", timing.median()),
          figure("%.1f", timing.lowerQuartile()) + ".." + figure("%.1f", timing.upperQuartile()),
          figure("%.2f", row.ratio()),
          figure("%.0f %%", 100 * (double) row.more().get("exchangeShare")),
          figure("%.1f", row.more().get("expertGflops")),
          figure("%.2f", (long) row.more().get("wireBytes") / 1e6),
          figure("%.2f", (long) row.more().get("wireBytesPredicted") / 1e6),
          figure("%.2f", (long) row.more().get("betweenNodesBytes") / 1e6),
          figure("%.2f", row.more().get("loadMaxOverMean")));
    }
    return table.plain();
  }

  private static String figure(String format, Object value) {
    return String.format(Locale.ROOT, format, value);
  }
}
