package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.ScratchFolder;
import dev.gossamer.bench.lm.Contestant;
import dev.gossamer.bench.lm.LmBench;
import dev.gossamer.bench.lm.LmBenchSettings;
import dev.gossamer.bench.lm.LmBenchTable;
import dev.gossamer.bench.lm.LmCase;
import dev.gossamer.bench.lm.Measure;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.lm.data.Corpus.Split;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.settings.Words;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer bench lm}: whole language models, training and generating, over ranks. */
@Command(
    name = "lm",
    description = {
      "Time whole language models: a training step, and texts that go on behind a prompt.",
      "The structures take turns, matched as by compare-structures, on one rank or, started by"
          + " launch, torchrun or srun, on many that share the experts; each rank learns from and"
          + " continues texts of its own. Rank 0 prints the tables. Without a configuration the"
          + " preset speed is measured, on the text that ships inside."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BenchLmCommand implements Callable<Integer> {
  private static final String PRESET = "speed";

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Mixin private TrainArguments train;

  @Option(
      names = "--arms",
      split = ",",
      paramLabel = "NAME",
      description =
          "Of vanilla-top1, vanilla-top2, fine-grained, bigmac, bigmac-nominal, dense; commas"
              + " between them (default: fine-grained,bigmac,dense).")
  private List<String> arms =
      Stream.of(Contestant.FINE_GRAINED, Contestant.BIGMAC, Contestant.DENSE)
          .map(Contestant::word)
          .toList();

  @Option(
      names = "--top-k",
      paramLabel = "K",
      split = ",",
      description =
          "Experts that a token visits, several separated by commas (default: the"
              + " configuration's).")
  private List<String> topK = List.of();

  @Option(
      names = "--ratio",
      paramLabel = "R",
      description = "BigMac's latent over hidden width (default: the configuration's, 0.25).")
  private Double ratio;

  @Option(
      names = "--measure",
      split = ",",
      paramLabel = "WHAT",
      description = "training, generation or both, a comma between them (default: both).")
  private List<String> measures = Arrays.stream(Measure.values()).map(Words::of).toList();

  @Option(
      names = "--prompt",
      paramLabel = "N",
      description = "Tokens behind which texts go on (default: ${DEFAULT-VALUE}).")
  private int prompt = 128;

  @Option(
      names = "--generate",
      paramLabel = "N",
      split = ",",
      description = "Tokens that follow, several separated by commas (default: 1,2,5,10).")
  private List<Integer> lengths = List.of(1, 2, 5, 10);

  @Option(
      names = "--texts",
      paramLabel = "N",
      description = "Texts that each rank continues at once (default: ${DEFAULT-VALUE}).")
  private int texts = 4;

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Measurements of each structure, in turn (default: ${DEFAULT-VALUE}).")
  private int runs = 5;

  @Option(names = "--json", description = "Print one JSON document to stdout, the table to stderr.")
  private boolean json;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  BenchLmCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    TrainConfig config = train.configOr(PRESET);
    List<Contestant> contestants =
        arms.stream().map(arm -> Words.choose(Contestant.class, "arm", arm)).toList();
    BenchProgress progress = BenchArguments.progress(terminal, interrupted);
    ranks.run(world -> measure(config, contestants, world, progress));
    return 0;
  }

  private void measure(
      TrainConfig config,
      List<Contestant> contestants,
      Communicator world,
      BenchProgress progress) {
    Device device = train.device(ranks, world.size());
    // The text inside goes into a folder of each rank, as machines need not share one.
    try (ScratchFolder scratch = ScratchFolder.make();
        Threads pool = new Threads(train.threads(world.size()))) {
      Path tokens = train.tokens(config, scratch.path().resolve("tokens"), true);
      LmBenchSettings settings =
          new LmBenchSettings(
              (topK.isEmpty() ? Stream.of(config) : topK.stream().map(top -> at(config, top)))
                  .map(
                      one ->
                          LmCase.of(
                              one, tokens, Optional.ofNullable(ratio), contestants, world.size()))
                  .toList(),
              measures.stream()
                  .map(word -> Words.choose(Measure.class, "measure", word))
                  .collect(Collectors.toSet()),
              prompt,
              lengths,
              texts,
              runs);
      TokenFile text = TokenFile.open(Split.TRAIN.in(tokens));
      BenchReport report =
          LmBench.run(settings, text, world, ranks.perNode(), device, pool, progress);
      if (world.rank() == 0) {
        print(report);
      }
    }
  }

  private static TrainConfig at(TrainConfig config, String top) {
    return config.with("model.experts.topK", top);
  }

  private void print(BenchReport report) {
    (json ? terminal.err() : terminal.out())
        .println(
            LmBenchTable.of(report)
                + System.lineSeparator()
                + MachineFacts.loadLine(report.machine()));
    if (json) {
      terminal.out().println(report.json());
    }
  }
}
