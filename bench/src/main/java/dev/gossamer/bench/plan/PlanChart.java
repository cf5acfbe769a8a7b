package dev.gossamer.bench.plan;

import dev.gossamer.bench.ChartFile;
import dev.gossamer.moe.plan.PlanPoint;
import dev.gossamer.moe.plan.PlanReport;
import dev.gossamer.moe.plan.PlanRow;
import dev.gossamer.moe.plan.StepTime;
import dev.gossamer.moe.plan.StructureKind;
import dev.gossamer.tensor.settings.Words;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Step time above share of communication; against ranks on the left, against top-k on the right.
 */
public final class PlanChart {
  private static final int WIDTH = 520;
  private static final int HEIGHT = 380;
  private static final BasicStroke LINE = new BasicStroke(2f);
  // Told apart by people who do not tell red from green (Okabe and Ito).
  private static final Map<StructureKind, Color> COLOURS =
      Map.of(
          StructureKind.VANILLA, new Color(0x555555),
          StructureKind.FINE_GRAINED, new Color(0xD55E00),
          StructureKind.BIGMAC, new Color(0x0072B2));

  private PlanChart() {}

  /**
   * Writes a PNG.
   *
   * @throws dev.gossamer.tensor.failure.EnvironmentException if this machine has no fonts, or the
   *     file cannot be written
   */
  public static void write(PlanReport report, Path file) {
    new ChartFile(file).write(stream -> draw(report, stream));
  }

  private static void draw(PlanReport report, OutputStream stream) throws IOException {
    XYChart ranks = chart(report.model().name(), "ranks", "step, ms");
    ranks.getStyler().setXAxisLogarithmic(true).setLegendVisible(false);
    XYChart topK = chart(report.cluster().name(), "experts per token (top-k)", "step, ms");
    XYChart ranksShare = chart("", "ranks", "all-to-all, % of the step");
    ranksShare.getStyler().setXAxisLogarithmic(true);
    XYChart topKShare = chart("", "experts per token (top-k)", "all-to-all, % of the step");
    draw(ranks, report.ranks(), time -> 1e3 * time.total());
    draw(topK, report.topK(), time -> 1e3 * time.total());
    draw(ranksShare, report.ranks(), time -> 100 * time.share());
    draw(topKShare, report.topK(), time -> 100 * time.share());
    for (XYChart steps : List.of(ranks, topK)) {
      steps.getStyler().setYAxisMin(0.0);
    }
    for (XYChart shares : List.of(ranksShare, topKShare)) {
      shares.getStyler().setYAxisMin(0.0).setYAxisMax(100.0).setLegendVisible(false);
    }
    topK.getStyler().setLegendPosition(LegendPosition.InsideNW);
    BitmapEncoder.saveBitmap(
        List.of(ranks, topK, ranksShare, topKShare), 2, 2, stream, BitmapFormat.PNG);
  }

  private static void draw(
      XYChart chart, List<PlanPoint> points, ToDoubleFunction<StepTime> figure) {
    for (StructureKind kind : PlanTable.kinds(points)) {
      List<PlanPoint> there = points.stream().filter(p -> p.row(kind).isPresent()).toList();
      double[] x = there.stream().mapToDouble(PlanPoint::value).toArray();
      double[] y =
          there.stream()
              .map(point -> point.row(kind))
              .flatMap(Optional::stream)
              .map(PlanRow::time)
              .mapToDouble(figure)
              .toArray();
      XYSeries series = chart.addSeries(Words.of(kind), x, y);
      series.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(COLOURS.get(kind));
      series.setLineColor(COLOURS.get(kind));
      series.setLineStyle(LINE);
    }
  }

  private static XYChart chart(String title, String across, String up) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .theme(ChartTheme.Matlab)
            .title(title)
            .xAxisTitle(across)
            .yAxisTitle(up)
            .build();
    chart.getStyler().setChartTitleBoxVisible(false);
    chart.getStyler().setMarkerSize(6);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    return chart;
  }
}
