package dev.gossamer.bench.lm;

import dev.gossamer.bench.ChartFile;
import dev.gossamer.lm.train.Metrics;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Bits per byte of a run over its steps: of each step, their running mean, and held out. */
public final class TrainingChart {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 420;
  private static final double KEPT = 0.98;

  private TrainingChart() {}

  /**
   * Writes a PNG.
   *
   * @param metrics a run's {@code metrics.jsonl}
   * @throws dev.gossamer.tensor.failure.EnvironmentException if this machine has no fonts
   */
  public static void write(Path metrics, Path file) throws IOException {
    List<Map<String, Object>> lines = Metrics.read(metrics);
    new ChartFile(file).write(stream -> draw(lines, stream));
  }

  private static void draw(List<Map<String, Object>> lines, OutputStream stream)
      throws IOException {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .theme(ChartTheme.Matlab)
            .xAxisTitle("step")
            .yAxisTitle("bits per byte")
            .build();
    chart.getStyler().setLegendPosition(LegendPosition.InsideNE);
    double[][] steps = points(lines, "trainBitsPerByte");
    if (steps[0].length > 0) {
      line(chart, "each step", steps[0], steps[1], new Color(0xBBCCDD), 1f);
      line(chart, "running mean", steps[0], smooth(steps[1]), new Color(0x0072B2), 2f);
    }
    double[][] held = points(lines, "bitsPerByte");
    if (held[0].length > 0) {
      XYSeries series = line(chart, "held out", held[0], held[1], new Color(0xD55E00), 2f);
      series.setMarker(SeriesMarkers.CIRCLE);
      series.setMarkerColor(new Color(0xD55E00));
    }
    BitmapEncoder.saveBitmap(List.of(chart), 1, 1, stream, BitmapFormat.PNG);
  }

  private static double[][] points(List<Map<String, Object>> lines, String key) {
    List<Map<String, Object>> there =
        lines.stream().filter(line -> line.get(key) instanceof Number).toList();
    return new double[][] {
      there.stream().mapToDouble(line -> ((Number) line.get("step")).doubleValue()).toArray(),
      there.stream().mapToDouble(line -> ((Number) line.get(key)).doubleValue()).toArray()
    };
  }

  private static XYSeries line(
      XYChart chart, String name, double[] x, double[] y, Color colour, float width) {
    XYSeries series = chart.addSeries(name, x, y);
    series.setMarker(SeriesMarkers.NONE);
    series.setLineColor(colour);
    series.setLineStyle(new BasicStroke(width));
    return series;
  }

  /** Exponential mean, corrected for its start. */
  private static double[] smooth(double[] y) {
    double[] mean = new double[y.length];
    double sum = 0;
    double weight = 0;
    for (int i = 0; i < y.length; i++) {
      sum = KEPT * sum + (1 - KEPT) * y[i];
      weight = KEPT * weight + 1 - KEPT;
      mean[i] = sum / weight;
    }
    return mean;
  }
}
