package dev.gossamer.bench.moe;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.ChartFile;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;

/**
 * A {@link MoeBench} as a picture: where each structure's time goes, and beside it how many times
 * as fast as the fine-grained structure the others are.
 */
public final class MoeBenchChart {
  private static final int WIDTH = 640;
  private static final int HEIGHT = 480;
  private static final int BAR = 60;
  // Told apart by people who do not tell red from green (Okabe and Ito).
  private static final Map<String, Color> PHASES = new LinkedHashMap<>();
  private static final Map<String, Color> STRUCTURES =
      Map.of(
          MoeBench.RIVAL,
          new Color(0xE69F00),
          "bigmac",
          new Color(0x56B4E9),
          "vanilla",
          new Color(0x999999));

  static {
    PHASES.put("exchange", new Color(0xD55E00));
    PHASES.put("experts", new Color(0x0072B2));
    PHASES.put("project", new Color(0x56B4E9));
    PHASES.put("route", new Color(0xF0E442));
    PHASES.put("permute", new Color(0xE69F00));
    PHASES.put("combine", new Color(0x009E73));
    PHASES.put("shared", new Color(0xCC79A7));
  }

  private MoeBenchChart() {}

  /**
   * Writes a PNG.
   *
   * @throws dev.gossamer.tensor.failure.EnvironmentException if this machine has no fonts, or the
   *     file cannot be written
   */
  public static void write(BenchReport report, Path file) {
    new ChartFile(file).write(stream -> draw(report, stream));
  }

  private static void draw(BenchReport report, OutputStream stream) throws IOException {
    BitmapEncoder.saveBitmap(
        List.of(phases(report), speedUp(report)), 1, 2, stream, BitmapFormat.PNG);
  }

  private static CategoryChart phases(BenchReport report) {
    CategoryChart chart =
        chart(
            "Forward and backward, ms (mean of " + report.settings().get("ranks") + " ranks)",
            Math.max(WIDTH, BAR * report.rows().size()));
    chart.getStyler().setStacked(true);
    chart.getStyler().setXAxisLabelRotation(90).setXAxisTickMarkSpacingHint(BAR / 2);
    List<String> bars = report.rows().stream().map(MoeBenchChart::label).toList();
    PHASES.forEach(
        (phase, colour) -> {
          List<Double> millis = report.rows().stream().map(row -> millis(row, phase)).toList();
          if (Collections.max(millis) > 0) {
            chart.addSeries(phase, bars, millis).setFillColor(colour);
          }
        });
    return chart;
  }

  private static String label(BenchRow row) {
    return row.subject() + ", top-" + row.more().get("topK");
  }

  private static double millis(BenchRow row, String phase) {
    return (double) ((Map<?, ?>) row.more().get("phaseMillis")).get(phase);
  }

  private static CategoryChart speedUp(BenchReport report) {
    CategoryChart chart = chart("Times as fast as fine-grained", WIDTH);
    Map<String, List<Double>> ratios = new LinkedHashMap<>();
    for (BenchRow row : report.rows()) {
      ratios.computeIfAbsent(row.subject(), name -> new ArrayList<>()).add(row.ratio());
    }
    List<String> cases =
        report.rows().stream().map(row -> "top-" + row.more().get("topK")).distinct().toList();
    ratios.forEach(
        (name, values) -> chart.addSeries(name, cases, values).setFillColor(STRUCTURES.get(name)));
    chart.getStyler().setLabelsVisible(true).setDecimalPattern("0.00");
    chart.getStyler().setLabelsPosition(1);
    return chart;
  }

  private static CategoryChart chart(String title, int width) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(width)
            .height(HEIGHT)
            .theme(ChartTheme.Matlab)
            .title(title)
            .build();
    chart.getStyler().setChartTitleBoxVisible(false);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setLegendPosition(LegendPosition.OutsideS);
    chart.getStyler().setLegendLayout(LegendLayout.Horizontal);
    chart.getStyler().setAvailableSpaceFill(0.7);
    chart.getStyler().setYAxisMin(0.0);
    return chart;
  }
}
