package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Option;

/** What the benchmarks have in common. */
final class BenchArguments {
  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Measurements of each, in turn (default: attention 7, generate 3).")
  private Integer runs;

  @Option(
      names = "--quality",
      paramLabel = "DIR",
      description =
          "Measure exactness instead of time, and write a page with tables and charts there.")
  private Path quality;

  @Option(names = "--json", description = "Print one JSON document to stdout, the table to stderr.")
  private boolean json;

  Optional<Integer> runs() {
    return Optional.ofNullable(runs);
  }

  /** Where the quality page goes, if that is what is wanted. */
  Optional<Path> quality() {
    return Optional.ofNullable(quality);
  }

  void print(Terminal terminal, BenchReport report, String table) {
    print(terminal, report.json(), table);
  }

  void print(Terminal terminal, String document, String table) {
    (json ? terminal.err() : terminal.out()).println(table);
    if (json) {
      terminal.out().println(document);
    }
  }

  /** Tells a person who watches what is measured; stops on Ctrl-C. */
  static BenchProgress progress(Terminal terminal, BooleanSupplier interrupted) {
    return new BenchProgress() {
      @Override
      public void note(String line) {
        if (terminal.interactive()) {
          terminal.err().println(line);
        }
      }

      @Override
      public boolean cancelled() {
        return interrupted.getAsBoolean();
      }
    };
  }
}
