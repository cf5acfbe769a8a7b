package dev.gossamer.bench.lm;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.Verdict;
import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What a person reads of a {@link LmBench}: steps, texts, and a verdict for each. */
public final class LmBenchTable {
  private LmBenchTable() {}

  /** Lines without a line break at the end. */
  public static String of(BenchReport report) {
    List<BenchRow> steps = rows(report, Measure.TRAINING);
    List<BenchRow> texts = rows(report, Measure.GENERATION);
    List<String> parts = new ArrayList<>(List.of(heading(report.settings())));
    if (!steps.isEmpty()) {
      parts.add(training(steps).plain());
    }
    if (!texts.isEmpty()) {
      parts.add(generation(texts).plain());
    }
    parts.add(verdicts(report));
    return String.join("\n\n", parts);
  }

  private static String verdicts(BenchReport report) {
    return report.rows().stream()
        .filter(row -> row.subject().equals(Contestant.BIGMAC.word()))
        .map(row -> row.benchCase() + ": " + Verdict.of(row.ratio(), "it"))
        .collect(Collectors.joining("\n"));
  }

  private static List<BenchRow> rows(BenchReport report, Measure measure) {
    return report.rows().stream()
        .filter(row -> row.more().get("measure").equals(Words.of(measure)))
        .toList();
  }

  private static String heading(Map<String, Object> settings) {
    int ranks = (int) settings.get("ranks");
    Map<?, ?> training = (Map<?, ?>) settings.get("training");
    return String.format(
        "%s; %s; steps of %s sequences of %s tokens, %s; each rank continues %s texts behind %s"
            + " tokens",
        ranks == 1 ? "1 rank" : ranks + " ranks, " + settings.get("ranksPerNode") + " per node",
        settings.get("device").equals("cpu")
            ? "processor, threads of a rank: " + settings.get("threads")
            : "an NVIDIA card",
        training.get("batch"),
        training.get("sequence"),
        training.get("dtype"),
        settings.get("textsOfARank"),
        settings.get("prompt"));
  }

  private static TextTable training(List<BenchRow> rows) {
    TextTable table =
        new TextTable(
            "top-k",
            "step of",
            "weights M",
            "MFLOP/token",
            "ms",
            "quartiles",
            "x fine-grained",
            "tokens/s",
            "all-to-all",
            "with sums",
            "wire MB");
    for (BenchRow row : rows) {
      table.row(
          String.valueOf(row.more().get("topK")),
          row.subject(),
          millions(row, "weights"),
          millions(row, "forwardFlopsPerToken"),
          figure(row.subjectTiming().median(), 1),
          quartiles(row.subjectTiming()),
          figure(row.ratio(), 2),
          figure((double) row.more().get("tokensPerSecond"), 0),
          percent(row, "exchangeShare"),
          percent(row, "waitShare"),
          millions(row, "wireBytes"));
    }
    return table;
  }

  private static TextTable generation(List<BenchRow> rows) {
    TextTable table =
        new TextTable(
            "top-k",
            "texts of",
            "tokens",
            "ms",
            "quartiles",
            "x fine-grained",
            "tokens/s",
            "all-to-all",
            "wire MB");
    for (BenchRow row : rows) {
      table.row(
          String.valueOf(row.more().get("topK")),
          row.subject(),
          String.valueOf(row.more().get("length")),
          figure(row.subjectTiming().median(), 1),
          quartiles(row.subjectTiming()),
          figure(row.ratio(), 2),
          figure((double) row.more().get("tokensPerSecond"), 1),
          percent(row, "exchangeShare"),
          millions(row, "wireBytes"));
    }
    return table;
  }

  private static String quartiles(Timing timing) {
    return figure(timing.lowerQuartile(), 1) + ".." + figure(timing.upperQuartile(), 1);
  }

  private static String percent(BenchRow row, String name) {
    return row.more().get(name) instanceof Double share ? figure(100 * share, 0) + " %" : "-";
  }

  private static String millions(BenchRow row, String name) {
    return row.more().get(name) instanceof Number number
        ? figure(number.doubleValue() / 1e6, 2)
        : "-";
  }
}
