package dev.gossamer.cli;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.lm.ComparedModel;
import dev.gossamer.bench.lm.ComparisonChart;
import dev.gossamer.bench.lm.ComparisonPage;
import dev.gossamer.bench.lm.ComparisonReport;
import dev.gossamer.bench.lm.ComparisonSettings;
import dev.gossamer.bench.lm.Contestant;
import dev.gossamer.bench.lm.StructureComparison;
import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.Words;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer compare-structures}: the same training of several structures. */
@Command(
    name = "compare-structures",
    description = {
      "Train BigMac and the structures it replaces alike, and compare them.",
      "Every arm has as many weights as the fine-grained model that is configured, and learns from"
          + " the same tokens in the same order, with several seeds. Says what held-out text says,"
          + " with intervals. Called again it goes on where it was stopped."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class CompareStructuresCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Mixin private TrainArguments train;
  @Mixin private PaceArguments pace;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the comparison: a run for each arm and seed, results, charts.")
  private Path out;

  @Option(
      names = "--arms",
      split = ",",
      paramLabel = "NAME",
      description =
          "Of vanilla-top1, vanilla-top2, fine-grained, bigmac, bigmac-nominal, dense (default:"
              + " these), and bigmac-narrower, bigmac-wider, bigmac-latent-norm, bigmac-latent-gate,"
              + " bigmac-level, bigmac-reinvest; commas between them.")
  private List<String> arms = Contestant.protocol().stream().map(Contestant::word).toList();

  @Option(
      names = "--seeds",
      paramLabel = "N",
      description =
          "Trainings of each arm, from the configuration's seed on; 2 or more for intervals"
              + " (default: ${DEFAULT-VALUE}).")
  private int seeds = 3;

  @Option(
      names = "--ratio",
      paramLabel = "R",
      description = "BigMac's latent over hidden width (default: the configuration's, 0.25).")
  private Double ratio;

  @Option(
      names = "--learning-rate-check",
      description = "Also train fine-grained at half and twice the learning rate, first seed.")
  private boolean rateCheck;

  @Option(
      names = "--json",
      description = "Print results.json to stdout at the end, the tables to stderr.")
  private boolean json;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  CompareStructuresCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    List<Contestant> contestants =
        arms.stream().map(arm -> Words.choose(Contestant.class, "arm", arm)).toList();
    TrainConfig config = pace.of(train.config());
    ranks.run(
        world -> {
          Device device = train.device(ranks, world.size());
          StructureComparison.requireOurs(out);
          world.barrier(); // all have looked before anything is written
          Path inside = out.resolve(StructureComparison.TOKENS);
          Path tokens = train.tokens(config, inside, world.rank() == 0);
          world.barrier(); // rank 0 may have made them
          TrainSettings training = config.settings(tokens);
          StructureComparison comparison =
              StructureComparison.of(
                  new ComparisonSettings(
                      ComparedModel.of(config, tokens, Optional.ofNullable(ratio)),
                      training,
                      contestants,
                      seeds,
                      rateCheck,
                      tokens,
                      out));
          if (world.rank() == 0) {
            terminal.err().println(comparison.matching().table().plain());
          }
          TrainTerminal progress =
              new TrainTerminal(terminal, interrupted, training.steps(), training.logEvery());
          try (Threads pool = new Threads(train.threads(world.size()))) {
            comparison.run(world, ranks.perNode(), device, pool, progress).ifPresent(this::finish);
          }
        });
    return 0;
  }

  private void finish(ComparisonReport report) {
    StructureComparison.write(report);
    (json ? terminal.err() : terminal.out()).println(ComparisonPage.plain(report));
    if (json) {
      terminal.out().println(BenchReport.json(report.document()));
    }
    try {
      ComparisonChart.write(report, out);
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write charts into " + out + ": " + PartFile.reason(e), "Is the disk full?", e);
    } catch (EnvironmentException e) {
      terminal.err().println(FailureLine.message(e)); // the figures are there all the same
    }
  }
}
