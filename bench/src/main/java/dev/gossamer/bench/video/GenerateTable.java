package dev.gossamer.bench.video;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.video.Stage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The figures of {@link GenerateBench} for a person: one line per size and attention. */
final class GenerateTable {
  private static final List<Stage> STAGES =
      List.of(Stage.TEXT, Stage.TRANSFORMER, Stage.DECODE, Stage.WRITE);

  private GenerateTable() {}

  static String of(BenchReport report) {
    List<String> columns = new ArrayList<>(List.of("case", "attention", "seconds"));
    STAGES.forEach(stage -> columns.add(stage.label()));
    columns.addAll(List.of("attention s", "x dense", "attention x", "density", "PSNR", "SSIM"));
    TextTable table = new TextTable(columns.toArray(String[]::new));
    String latest = "";
    for (BenchRow row : report.rows()) {
      if (!row.benchCase().equals(latest)) {
        latest = row.benchCase();
        table.row(dense(row));
      }
      table.row(line(row));
    }
    double start = (Double) report.settings().get("firstStepSeconds");
    return table.plain()
        + "\n"
        + report.settings().get("threads")
        + " threads, median of "
        + report.settings().get("runs")
        + " runs in turn; "
        + figure(start, 2)
        + " s from the start of this process to its first denoising step. "
        + MachineFacts.loadLine(report.machine());
  }

  private static List<String> dense(BenchRow row) {
    List<String> cells = new ArrayList<>(List.of(row.benchCase(), row.rival()));
    cells.add(figure(row.rivalTiming().median() / 1000, 2));
    cells.addAll(stages(row.more().get("rivalStages")));
    cells.add(figure(number(row, "rivalAttentionMillis") / 1000, 2));
    cells.addAll(List.of("1.00", "1.00", "1.000", "-", "-"));
    return cells;
  }

  private static List<String> line(BenchRow row) {
    List<String> cells = new ArrayList<>(List.of(row.benchCase(), row.subject()));
    cells.add(figure(row.subjectTiming().median() / 1000, 2));
    cells.addAll(stages(row.more().get("subjectStages")));
    cells.add(figure(number(row, "subjectAttentionMillis") / 1000, 2));
    cells.add(figure(row.ratio(), 2));
    cells.add(figure(number(row, "attentionRatio"), 2));
    cells.add(figure(number(row, "density"), 3));
    cells.add(figure(number(row, "psnr"), 1));
    cells.add(figure(number(row, "ssim"), 3));
    return cells;
  }

  private static List<String> stages(Object seconds) {
    Map<?, ?> byName = (Map<?, ?>) seconds;
    return STAGES.stream().map(stage -> figure((Double) byName.get(stage.label()), 2)).toList();
  }

  private static double number(BenchRow row, String name) {
    return (Double) row.more().get(name);
  }
}
