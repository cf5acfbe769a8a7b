package dev.gossamer.bench.attention;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import java.util.List;
import java.util.Map;

/** The figures of {@link AttentionBench} for a person: one line per case and attention. */
final class AttentionTable {
  private AttentionTable() {}

  static String of(BenchReport report) {
    boolean sweep = report.rows().stream().anyMatch(row -> row.more().containsKey("rivalGrowth"));
    TextTable table =
        sweep
            ? new TextTable(
                "case", "attention", "ms", "x libtorch", "growth", "libtorch's", "density", "error")
            : new TextTable(
                "case",
                "attention",
                "ms",
                "min",
                "quartiles",
                "x libtorch",
                "x own dense",
                "density",
                "tail",
                "error",
                "GFLOP/s");
    String latest = "";
    for (BenchRow row : report.rows()) {
      if (!row.rival().equals(AttentionBench.LIBTORCH)) {
        continue;
      }
      if (!row.benchCase().equals(latest)) {
        latest = row.benchCase();
        table.row(rival(row, sweep));
      }
      table.row(sweep ? sweepLine(row) : line(row, report.rows()));
    }
    return table.plain()
        + "\n"
        + report.settings().get("heads")
        + " heads of 64, "
        + report.settings().get("threads")
        + " threads, median of "
        + report.settings().get("runs")
        + " runs in turn, clustering included, centroids from the call before. "
        + MachineFacts.loadLine(report.machine());
  }

  private static List<String> rival(BenchRow row, boolean sweep) {
    Timing timing = row.rivalTiming();
    String rate = figure(number(row.more(), "rivalGflops"), 0);
    return sweep
        ? List.of(
            row.benchCase(),
            row.rival(),
            figure(timing.median(), 1),
            "1.00",
            figure(number(row.more(), "rivalGrowth"), 2),
            figure(number(row.more(), "rivalGrowth"), 2),
            "1.000",
            "0.0000")
        : List.of(
            row.benchCase(),
            row.rival(),
            figure(timing.median(), 1),
            figure(timing.min(), 1),
            quartiles(timing),
            "1.00",
            "-",
            "1.000",
            "0.000",
            "0.0000",
            rate);
  }

  private static List<String> line(BenchRow row, List<BenchRow> rows) {
    double own =
        rows.stream()
            .filter(other -> other.rival().equals(AttentionBench.OWN_DENSE))
            .filter(other -> other.benchCase().equals(row.benchCase()))
            .filter(other -> other.subject().equals(row.subject()))
            .mapToDouble(BenchRow::ratio)
            .findFirst()
            .orElse(row.subject().equals(AttentionBench.OWN_DENSE) ? 1 : Double.NaN);
    Timing timing = row.subjectTiming();
    return List.of(
        row.benchCase(),
        row.subject(),
        figure(timing.median(), 1),
        figure(timing.min(), 1),
        quartiles(timing),
        figure(row.ratio(), 2),
        figure(own, 2),
        figure(number(row.more(), "density"), 3),
        figure(number(row.more(), "pseudoKeys"), 3),
        figure(row.relativeError(), 4),
        figure(number(row.more(), "subjectGflops"), 0));
  }

  private static List<String> sweepLine(BenchRow row) {
    return List.of(
        row.benchCase(),
        row.subject(),
        figure(row.subjectTiming().median(), 1),
        figure(row.ratio(), 2),
        figure(number(row.more(), "subjectGrowth"), 2),
        figure(number(row.more(), "rivalGrowth"), 2),
        figure(number(row.more(), "density"), 3),
        figure(row.relativeError(), 4));
  }

  private static String quartiles(Timing timing) {
    return figure(timing.lowerQuartile(), 1) + ".." + figure(timing.upperQuartile(), 1);
  }

  private static double number(Map<String, Object> more, String name) {
    return more.get(name) instanceof Double value ? value : Double.NaN;
  }
}
