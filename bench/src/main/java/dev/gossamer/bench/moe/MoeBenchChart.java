package dev.gossamer.bench.moe;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.ChartFile;
import java.awt.BasicStroke;
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
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.CategorySeries.CategorySeriesRenderStyle;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * A {@link MoeBench} as a picture: where each structure's time goes, and beside it how many times
 * as fast as the fine-grained structure the others are.
 */
public final class MoeBenchChart {
  private static final int WIDTH = 640;
  private static final int HEIGHT = 480;
  // Told apart by people who do not tell red from green (Okabe and Ito).
  private static final Map<String, Color> PHASES = new LinkedHashMap<>();
  private static final Map<String, Color> STRUCTURES =
      Map.of("bigmac", new Color(0x0072B2), "vanilla", new Color(0x999999));

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
   * @throws dev.gossamer.tensor.failure.EnvironmentException if this machine has no fonts
   */
  public static void write(BenchReport report, Path file) throws IOException {
    new ChartFile(file).write(stream -> draw(report, stream));
  }

  private static void draw(BenchReport report, OutputStream stream) throws IOException {
    BitmapEncoder.saveBitmap(
        List.of(phases(report), speedUp(report)), 1, 2, stream, BitmapFormat.PNG);
  }

  private static CategoryChart phases(BenchReport report) {
    CategoryChart chart =
        chart("Forward and backward, ms (mean of " + report.settings().get("ranks") + " ranks)");
    chart.getStyler().setStacked(true);
    chart.getStyler().setXAxisLabelRotation(45);
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
    CategoryChart chart = chart("Times as fast as fine-grained");
    Map<String, List<Double>> ratios = new LinkedHashMap<>();
    List<String> cases = new ArrayList<>();
    for (BenchRow row : report.rows()) {
      String top = "top-" + row.more().get("topK");
      if (row.subject().equals(MoeBench.RIVAL)) {
        cases.add(top);
      } else {
        ratios.computeIfAbsent(row.subject(), name -> new ArrayList<>()).add(row.ratio());
      }
    }
    ratios.forEach(
        (name, values) ->
            chart
                .addSeries(name, cases, values)
                .setFillColor(STRUCTURES.getOrDefault(name, Color.BLACK)));
    CategorySeries one =
        chart.addSeries("fine-grained", cases, Collections.nCopies(cases.size(), 1.0));
    one.setChartCategorySeriesRenderStyle(CategorySeriesRenderStyle.Line);
    one.setLineStyle(new BasicStroke(2f)).setLineColor(PHASES.get("exchange"));
    one.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(PHASES.get("exchange"));
    chart.getStyler().setLabelsVisible(true);
    return chart;
  }

  private static CategoryChart chart(String title) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
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
