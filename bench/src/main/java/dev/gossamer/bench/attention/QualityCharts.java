package dev.gossamer.bench.attention;

import dev.gossamer.bench.attention.QualityPoint.Tail;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Recall and error against density as pictures: heads side by side, recall above error. */
final class QualityCharts {
  private static final int WIDTH = 460;
  private static final int HEIGHT = 360;
  // Told apart by people who do not tell red from green (Okabe and Ito).
  private static final Color[] COLOURS = {
    new Color(0x0072B2),
    new Color(0xE69F00),
    new Color(0x009E73),
    new Color(0xD55E00),
    new Color(0xCC79A7),
    new Color(0x555555)
  };
  private static final BasicStroke SOLID = new BasicStroke(2f);
  private static final BasicStroke DASHED =
      new BasicStroke(
          1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10f, new float[] {5f, 4f}, 0f);

  private QualityCharts() {}

  static void draw(List<QualityPoint> points, QualityGroup group, OutputStream stream)
      throws IOException {
    List<XYChart> charts = new ArrayList<>();
    for (CapturedHead head : CapturedHead.values()) {
      charts.add(recall(points, group, head));
    }
    for (CapturedHead head : CapturedHead.values()) {
      charts.add(error(points, group, head));
    }
    BitmapEncoder.saveBitmap(charts, 2, CapturedHead.values().length, stream, BitmapFormat.PNG);
  }

  private static XYChart recall(List<QualityPoint> points, QualityGroup group, CapturedHead head) {
    XYChart chart = chart(head.title(), "density", "recall of attention mass");
    chart.getStyler().setYAxisMin(0.0).setYAxisMax(1.0).setXAxisMin(0.0);
    chart.getStyler().setLegendPosition(LegendPosition.InsideSE);
    for (int i = 0; i < group.methods().size(); i++) {
      String method = group.methods().get(i);
      List<QualityPoint> line = line(points, group, head, method, Tail.OFF);
      draw(chart, method, line, p -> p.density(), p -> p.recall(), COLOURS[i], SOLID);
    }
    return chart;
  }

  private static XYChart error(List<QualityPoint> points, QualityGroup group, CapturedHead head) {
    XYChart chart =
        chart("solid: with tail, dashed: without", "density + points", "relative error");
    chart.getStyler().setYAxisLogarithmic(true);
    chart.getStyler().setXAxisMin(0.0);
    chart.getStyler().setLegendVisible(false);
    for (int i = 0; i < group.methods().size(); i++) {
      String method = group.methods().get(i);
      for (Tail tail : Tail.values()) {
        draw(
            chart,
            method + " " + tail.setting(),
            line(points, group, head, method, tail),
            p -> p.density() + p.pseudoKeys(),
            QualityProbe.Measured::error,
            COLOURS[i],
            tail == Tail.OFF ? DASHED : SOLID);
      }
    }
    return chart;
  }

  private static List<QualityPoint> line(
      List<QualityPoint> points, QualityGroup group, CapturedHead head, String method, Tail tail) {
    return points.stream()
        .filter(point -> point.group() == group && point.head() == head)
        .filter(point -> point.method().equals(method) && point.tail() == tail)
        .toList();
  }

  private static void draw(
      XYChart chart,
      String name,
      List<QualityPoint> line,
      ToDoubleFunction<QualityProbe.Measured> across,
      ToDoubleFunction<QualityProbe.Measured> up,
      Color colour,
      BasicStroke stroke) {
    double[] x = line.stream().map(QualityPoint::measured).mapToDouble(across).toArray();
    double[] y = line.stream().map(QualityPoint::measured).mapToDouble(up).toArray();
    XYSeries series = chart.addSeries(name, x, y);
    series.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(colour);
    series.setLineColor(colour);
    series.setLineStyle(stroke);
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
