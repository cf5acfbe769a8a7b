package dev.gossamer.bench.moe;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.Verdict;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** What a person reads of a {@link MoeBench}: its settings, times, traffic, and a verdict. */
public final class MoeBenchTable {
  private MoeBenchTable() {}

  /** Lines without a line break at the end. */
  public static String of(BenchReport report) {
    return String.join(
        System.lineSeparator(),
        heading(report.settings()),
        "",
        times(report).plain(),
        "",
        traffic(report).plain(),
        "",
        verdicts(report));
  }

  private static String heading(Map<String, Object> settings) {
    int ranks = (int) settings.get("ranks");
    return String.format(
        "%s, %s tokens each, width %s, %s experts, inner width %s, narrow width %s; %s routing"
            + "%s; %s",
        ranks == 1 ? "1 rank" : ranks + " ranks, " + settings.get("ranksPerNode") + " per node",
        settings.get("tokens"),
        settings.get("hidden"),
        settings.get("experts"),
        settings.get("inner"),
        settings.get("latent"),
        settings.get("routing"),
        ranks == 1
            ? ""
            : ", "
                + settings.get("dispatch")
                + " dispatch, "
                + settings.get("wire")
                + " on the wire, chunks "
                + settings.get("chunks"),
        settings.get("device").equals("cpu")
            ? "processor, threads of a rank: " + settings.get("threads")
            : "NVIDIA cards");
  }

  private static TextTable times(BenchReport report) {
    TextTable table =
        new TextTable(
            "top-k",
            "structure",
            "ms",
            "quartiles",
            "x fine-grained",
            "all-to-all",
            "experts",
            "project",
            "route+combine",
            "experts GFLOP/s",
            "of plain");
    for (BenchRow row : report.rows()) {
      Timing timing = row.subjectTiming();
      table.row(
          String.valueOf(row.more().get("topK")),
          row.subject(),
          figure("%.1f", timing.median()),
          figure("%.1f", timing.lowerQuartile()) + ".." + figure("%.1f", timing.upperQuartile()),
          figure("%.2f", row.ratio()),
          percent((double) row.more().get("exchangeShare")),
          percent(share(row, "experts")),
          percent(share(row, "project")),
          percent((double) row.more().get("routeAndCombineShare")),
          figure("%.1f", row.more().get("expertGflops")),
          percent(
              (double) row.more().get("expertGflops") / (double) row.more().get("plainGflops")));
    }
    return table;
  }

  private static TextTable traffic(BenchReport report) {
    boolean checked = report.rows().stream().anyMatch(row -> row.more().containsKey(OUTPUT));
    TextTable table =
        new TextTable(
            "top-k",
            "structure",
            "weights M",
            "MFLOP/token",
            "wire MB",
            "predicted",
            "between nodes",
            "tokens max/mean",
            "wire error",
            checked ? "output off one rank" : "",
            checked ? "gradients off" : "");
    for (BenchRow row : report.rows()) {
      table.row(
          String.valueOf(row.more().get("topK")),
          row.subject(),
          millions(row, "weights"),
          millions(row, "forwardFlopsPerToken"),
          millions(row, "wireBytes"),
          millions(row, "wireBytesPredicted"),
          millions(row, "betweenNodesBytes"),
          figure("%.2f", row.more().get("loadMaxOverMean")),
          figure("%.1e", row.relativeError()),
          checked ? figure("%.1e", row.more().get(OUTPUT)) : "",
          checked ? figure("%.1e", row.more().get(GRADIENTS)) : "");
    }
    return table;
  }

  static final String OUTPUT = "outputOffOneRank";
  static final String GRADIENTS = "gradientsOffOneRank";

  /** Whether BigMac is worth it here, for each top-k. */
  private static String verdicts(BenchReport report) {
    return report.rows().stream()
        .filter(row -> row.subject().equals("bigmac"))
        .map(row -> "top-" + row.more().get("topK") + ": " + Verdict.of(row.ratio(), "a step"))
        .collect(Collectors.joining(System.lineSeparator()));
  }

  private static double share(BenchRow row, String phase) {
    Map<?, ?> phases = (Map<?, ?>) row.more().get("phaseMillis");
    double total = phases.values().stream().mapToDouble(millis -> (double) millis).sum();
    return total == 0 ? 0 : (double) phases.get(phase) / total;
  }

  private static String percent(double share) {
    return figure("%.0f %%", 100 * share);
  }

  private static String millions(BenchRow row, String name) {
    return figure("%.2f", (long) row.more().get(name) / 1e6);
  }

  private static String figure(String format, Object value) {
    return String.format(Locale.ROOT, format, value);
  }
}
