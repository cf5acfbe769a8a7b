package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.exchange.ExchangeBench;
import dev.gossamer.bench.exchange.ExchangeBenchSettings;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.lab.Lab;
import dev.gossamer.distributed.lab.LinkShape;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer bench exchange}: what the ranks move per second. */
@Command(
    name = "exchange",
    description = {
      "Time what ranks send each other, and how much of the line it uses.",
      "All-to-all and all-reduce over the ranks that launch, lab, torchrun or srun started. Rank 0"
          + " prints the table."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BenchExchangeCommand implements Callable<Integer> {
  private static final ExchangeBenchSettings DEFAULT = ExchangeBenchSettings.DEFAULT;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Option(
      names = "--sizes",
      paramLabel = "BYTES",
      split = ",",
      description =
          "Bytes that each rank holds, its own share included, several separated by commas"
              + " (default: 65536,1048576,8388608).")
  private List<Long> sizes = DEFAULT.sizes();

  @Option(
      names = "--line",
      paramLabel = "R",
      description =
          "Rate of a node's link in each direction, as 200mbit, to state the share of it (default:"
              + " as lab says, else unknown).")
  private String line;

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Measurements of each, in turn (default: ${DEFAULT-VALUE}).")
  private int runs = DEFAULT.runs();

  @Option(
      names = "--seconds",
      paramLabel = "S",
      description =
          "Least length of a measurement, filled with exchanges one after the other (default:"
              + " ${DEFAULT-VALUE}).")
  private double seconds = DEFAULT.seconds();

  @Option(names = "--json", description = "Print one JSON document to stdout, the table to stderr.")
  private boolean json;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  BenchExchangeCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    String rate = line != null ? line : System.getenv().getOrDefault(Lab.RATE_VARIABLE, "none");
    ExchangeBenchSettings settings =
        DEFAULT
            .withSizes(sizes)
            .withNodes(ranks.perNode(), LinkShape.of(rate))
            .withRuns(runs, seconds);
    BenchProgress progress = BenchArguments.progress(terminal, interrupted);
    ranks.run(world -> print(world, ExchangeBench.run(settings, world, ranks.device(), progress)));
    return 0;
  }

  private void print(Communicator world, BenchReport report) {
    if (world.rank() != 0) {
      return;
    }
    (json ? terminal.err() : terminal.out())
        .println(
            ExchangeBench.table(report)
                + System.lineSeparator()
                + MachineFacts.loadLine(report.machine()));
    if (json) {
      terminal.out().println(report.json());
    }
  }
}
