package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.moe.MoeBench;
import dev.gossamer.bench.moe.MoeBenchChart;
import dev.gossamer.bench.moe.MoeBenchSettings;
import dev.gossamer.bench.moe.MoeBenchTable;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.router.RoutingFile;
import dev.gossamer.moe.router.RoutingSource;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.Words;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer bench moe}: one mixture-of-experts layer over ranks. */
@Command(
    name = "moe",
    description = {
      "Time one mixture-of-experts layer, forward and backward.",
      "The vanilla, the fine-grained and the BigMac structure with equally many weights take turns,"
          + " on one rank or, started by launch, torchrun or srun, on many. Rank 0 prints the table."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BenchMoeCommand implements Callable<Integer> {
  private static final MoeBenchSettings DEFAULT = MoeBenchSettings.DEFAULT;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Option(
      names = "--hidden",
      paramLabel = "N",
      description = "Width of the stream (default: ${DEFAULT-VALUE}).")
  private int hidden = DEFAULT.hidden();

  @Option(
      names = "--experts",
      paramLabel = "N",
      description = "Routed experts of the fine-grained layer (default: ${DEFAULT-VALUE}).")
  private int experts = DEFAULT.experts();

  @Option(
      names = "--top-k",
      paramLabel = "K",
      split = ",",
      description = "Experts that a token visits, several separated by commas (default: 8).")
  private List<Integer> topK = DEFAULT.topK();

  @Option(
      names = "--inner",
      paramLabel = "N",
      description = "Inner width of a fine-grained expert (default: a quarter of the stream).")
  private Integer inner;

  @Option(
      names = "--latent",
      paramLabel = "N",
      description = "Width at which BigMac's tokens travel (default: a quarter of the stream).")
  private Integer latent;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Tokens of each rank (default: ${DEFAULT-VALUE}).")
  private int tokens = DEFAULT.tokens();

  @Option(
      names = "--dispatch",
      paramLabel = "HOW",
      description =
          "flat: a row for each expert of a token; two-level: the same rows inside nodes first;"
              + " deduplicated: a token once to each node (default: flat). See --per-node.")
  private String dispatch = "flat";

  @Option(
      names = "--chunks",
      paramLabel = "N",
      description =
          "Parts of the tokens that travel while others are computed (default: ${DEFAULT-VALUE}).")
  private int chunks = DEFAULT.parallel().chunks();

  @Option(
      names = "--wire",
      paramLabel = "TYPE",
      description = "Type of the rows that travel: fp32, bf16 or fp16 (default: fp32).")
  private String wire;

  @Option(
      names = "--routing",
      paramLabel = "HOW",
      description =
          "balanced: every expert gets as much, in turn; random: as much, in random order; gate: as"
              + " an untrained gate chooses; biased:STD: some experts are more popular; one:I: all to"
              + " expert I (default: balanced).")
  private String routing;

  @Option(
      names = "--record",
      paramLabel = "FILE",
      description = "Write what each rank's tokens chose, with weights, as safetensors.")
  private Path record;

  @Option(
      names = "--replay",
      paramLabel = "FILE",
      description = "Route as a file of --record says; the gate still gives the weights.")
  private Path replay;

  @Option(
      names = "--check",
      description =
          "Also compute all ranks' tokens on one rank; fail if outputs or gradients differ by more"
              + " than rounding.")
  private boolean check;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description =
          "Processor threads of each rank (default: all cores for one rank, else 1; 1 with cards).")
  private Integer threads;

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Measurements of each structure, in turn (default: ${DEFAULT-VALUE}).")
  private int runs = DEFAULT.runs();

  @Option(
      names = "--chart",
      paramLabel = "FILE",
      description = "Also draw where the time goes, and the speed-ups, as a PNG.")
  private Path chart;

  @Option(names = "--json", description = "Print one JSON document to stdout, the table to stderr.")
  private boolean json;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  BenchMoeCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    Optional<PartFile> picture = Optional.ofNullable(chart).map(PartFile::new);
    ParallelSettings ways =
        ParallelSettings.DEFAULT
            .withDispatch(Words.choose(Dispatch.class, "dispatch", dispatch))
            .withChunks(chunks);
    if (wire != null) {
      ways = ways.withWire(DType.ofOption(wire));
    }
    MoeBenchSettings settings =
        DEFAULT
            .withLayer(
                hidden,
                experts,
                topK,
                inner == null ? Math.max(1, hidden / 4) : inner,
                latent == null ? Math.max(1, hidden / 4) : latent)
            .withTokens(tokens)
            .withRouting(source(), Optional.ofNullable(record))
            .withWay(ways, ranks.perNode())
            .withCheck(check)
            .withRuns(runs);
    if (threads != null && threads < 1) {
      throw new UsageException(threads + " threads", "Use 1 or more");
    }
    BenchProgress progress = BenchArguments.progress(terminal, interrupted);
    ranks.run(
        world -> {
          Device device = ranks.device();
          boolean several = world.size() == 1 && device.isCpu();
          int own = threads != null ? threads : several ? Threads.available() : 1;
          try (Threads pool = new Threads(own)) {
            BenchReport report = MoeBench.run(settings, world, device, pool, progress);
            if (world.rank() == 0) {
              print(report);
              // Last, as a machine without fonts can still print.
              picture.ifPresent(file -> MoeBenchChart.write(report, file.target()));
            }
          }
        });
    return 0;
  }

  private RoutingSource source() {
    if (replay != null && routing != null) {
      throw new UsageException("Both --replay and --routing", "Use one of them");
    }
    if (replay != null) {
      return new RoutingSource.Replay(RoutingFile.open(replay));
    }
    return routing == null ? new RoutingSource.Balanced() : RoutingSource.of(routing);
  }

  private void print(BenchReport report) {
    (json ? terminal.err() : terminal.out())
        .println(
            MoeBenchTable.of(report)
                + System.lineSeparator()
                + MachineFacts.loadLine(report.machine()));
    if (json) {
      terminal.out().println(report.json());
    }
  }
}
