package dev.gossamer.bench.moe;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import java.util.Locale;

/** The table of a {@link MoeBench} that a person reads. */
public final class MoeBenchTable {
  private MoeBenchTable() {}

  /** Lines without a line break at the end. */
  public static String of(BenchReport report) {
    TextTable table =
        new TextTable(
            "case",
            "structure",
            "ms",
            "quartiles",
            "x fine-grained",
            "exchange",
            "experts GFLOP/s",
            "of plain",
            "weights M",
            "MFLOP/token",
            "wire MB",
            "predicted",
            "between nodes",
            "load max/mean",
            "wire error");
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
          figure("%.0f %%", 100 * share(row)),
          millions(row, "weights"),
          millions(row, "forwardFlopsPerToken"),
          millions(row, "wireBytes"),
          millions(row, "wireBytesPredicted"),
          millions(row, "betweenNodesBytes"),
          figure("%.2f", row.more().get("loadMaxOverMean")),
          figure("%.1e", row.relativeError()));
    }
    return table.plain();
  }

  /** Of what the same threads reach with large products. */
  private static double share(BenchRow row) {
    return (double) row.more().get("expertGflops") / (double) row.more().get("plainGflops");
  }

  private static String millions(BenchRow row, String name) {
    return figure("%.2f", (long) row.more().get(name) / 1e6);
  }

  private static String figure(String format, Object value) {
    return String.format(Locale.ROOT, format, value);
  }
}
