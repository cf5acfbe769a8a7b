package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.serve.ServeBench;
import dev.gossamer.bench.serve.ServeBenchSettings;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer bench serve}: a server of a language model under load. */
@Command(
    name = "serve",
    description = {
      "Time a server with more and more clients at once.",
      "The same requests over HTTP to a server in this process, and as a rival one after the other"
          + " without one, as complete does. With --url it asks a server that runs elsewhere; the"
          + " rival is then the first number of clients. A token for it is taken from the variable "
          + ServeCommand.TOKEN
          + "."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BenchServeCommand implements Callable<Integer> {
  private static final ServeBenchSettings DEFAULT = ServeBenchSettings.DEFAULT;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Mixin private LanguageModelArguments model;

  @Option(
      names = "--url",
      paramLabel = "URL",
      description = "Address of a server, as serve prints it, to be asked instead.")
  private String url;

  @Option(
      names = "--concurrency",
      paramLabel = "N",
      split = ",",
      description = "Requests at once, several separated by commas (default: 1,4,16,64).")
  private List<Integer> concurrency = DEFAULT.concurrency();

  @Option(
      names = "--requests",
      paramLabel = "N",
      description = "Requests of each measurement (default: ${DEFAULT-VALUE}).")
  private int requests = DEFAULT.requests();

  @Option(
      names = "--prompt",
      paramLabel = "N",
      description = "Tokens of a request's prompt (default: ${DEFAULT-VALUE}).")
  private int prompt = DEFAULT.prompt();

  @Option(
      names = "--generate",
      paramLabel = "N",
      description = "Tokens that follow, whatever the model says (default: ${DEFAULT-VALUE}).")
  private int generate = DEFAULT.generate();

  @Option(
      names = "--batch",
      paramLabel = "N",
      description =
          "Texts that the server here continues at once (default: the most of --concurrency).")
  private Integer batch;

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Measurements of each, in turn (default: ${DEFAULT-VALUE}).")
  private int runs = DEFAULT.runs();

  @Option(names = "--json", description = "Print one JSON document to stdout, the table to stderr.")
  private boolean json;

  @Mixin private CommonArguments common;

  BenchServeCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    if (url != null && (batch != null || model.given())) {
      throw new UsageException(
          "--url names a server that has its own model, threads and batch",
          "Leave --model, --threads and --batch out, or --url");
    }
    ServeBenchSettings settings =
        new ServeBenchSettings(
            concurrency,
            requests,
            prompt,
            generate,
            batch == null ? OptionalInt.empty() : OptionalInt.of(batch),
            runs);
    BenchProgress progress = BenchArguments.progress(terminal, interrupted);
    BenchReport report = url == null ? here(settings, progress) : there(settings, progress);
    (json ? terminal.err() : terminal.out())
        .println(
            ServeBench.table(report)
                + System.lineSeparator()
                + MachineFacts.loadLine(report.machine()));
    if (json) {
      terminal.out().println(report.json());
    }
    return 0;
  }

  private BenchReport here(ServeBenchSettings settings, BenchProgress progress) {
    try (Threads pool = model.pool(LocalRanks.alone());
        SavedModel opened = model.open(pool, terminal)) {
      return ServeBench.run(settings, opened, progress);
    }
  }

  private BenchReport there(ServeBenchSettings settings, BenchProgress progress) {
    return ServeBench.run(
        settings, url, Optional.ofNullable(System.getenv(ServeCommand.TOKEN)), progress);
  }
}
