package dev.gossamer.bench.lm;

import dev.gossamer.bench.ChartFile;
import dev.gossamer.tensor.settings.Words;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Held-out bits per byte of all contestants: a thin line for each seed, a thick one of their means.
 */
public final class ComparisonChart {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 440;
  private static final BasicStroke THIN = new BasicStroke(0.8f);
  private static final BasicStroke THICK = new BasicStroke(2.2f);
  private static final int FAINT = 110;

  /** What bits are drawn against. */
  public enum Axis {
    TOKENS("tokens"),
    SECONDS("measured seconds"),
    MODELLED("modelled seconds on the paper's cluster");

    private final String title;

    Axis(String title) {
      this.title = title;
    }

    String title() {
      return title;
    }

    /** The chart's file in the comparison's folder. */
    public String file() {
      return "bits-per-byte-" + Words.of(this) + ".png";
    }

    private double of(TrainedRun.Point point, ComparisonReport.Arm arm) {
      return switch (this) {
        case TOKENS -> point.tokens();
        case SECONDS -> point.seconds();
        case MODELLED -> point.step() * arm.stepSeconds();
      };
    }
  }

  private ComparisonChart() {}

  /**
   * Told apart by people who do not tell red from green (Okabe and Ito); the changed forms of
   * BigMac, which are seldom drawn beside the vanilla ones, by lightness too.
   */
  private static Color colour(Contestant contestant) {
    return new Color(
        switch (contestant) {
          case VANILLA_TOP1 -> 0x999999;
          case VANILLA_TOP2 -> 0x333333;
          case FINE_GRAINED -> 0xD55E00;
          case BIGMAC -> 0x0072B2;
          case BIGMAC_NOMINAL -> 0x56B4E9;
          case DENSE -> 0x009E73;
          case BIGMAC_NARROWER -> 0xF0E442;
          case BIGMAC_WIDER -> 0xE69F00;
          case BIGMAC_LATENT_NORM -> 0xCC79A7;
          case BIGMAC_LATENT_GATE -> 0x661100;
          case BIGMAC_LEVEL -> 0x000000;
          case BIGMAC_REINVEST -> 0x882255;
        });
  }

  /**
   * Writes the three PNGs.
   *
   * @throws dev.gossamer.tensor.failure.EnvironmentException if this machine has no fonts
   */
  public static void write(ComparisonReport report, Path folder) throws IOException {
    for (Axis axis : Axis.values()) {
      new ChartFile(folder.resolve(axis.file())).write(stream -> draw(report, axis, stream));
    }
  }

  private static void draw(ComparisonReport report, Axis axis, OutputStream stream)
      throws IOException {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .theme(ChartTheme.Matlab)
            .xAxisTitle(axis.title())
            .yAxisTitle("held-out bits per byte")
            .build();
    chart.getStyler().setLegendPosition(LegendPosition.InsideNE);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setMarkerSize(5);
    chart.getStyler().setXAxisMin(0.0);
    for (ComparisonReport.Arm arm : report.arms()) {
      if (axis != Axis.MODELLED || Double.isFinite(arm.stepSeconds())) {
        draw(chart, arm, axis);
      }
    }
    BitmapEncoder.saveBitmap(List.of(chart), 1, 1, stream, BitmapFormat.PNG);
  }

  private static void draw(XYChart chart, ComparisonReport.Arm arm, Axis axis) {
    Color colour = colour(arm.contestant());
    Color faint = new Color(colour.getRed(), colour.getGreen(), colour.getBlue(), FAINT);
    String name = arm.contestant().word();
    for (TrainedRun run : arm.runs()) {
      double[] x = run.points().stream().mapToDouble(point -> axis.of(point, arm)).toArray();
      double[] y = run.points().stream().mapToDouble(TrainedRun.Point::bits).toArray();
      line(chart, name + " " + run.seed(), x, y, faint, THIN).setShowInLegend(false);
    }
    line(
            chart,
            name,
            means(arm, point -> axis.of(point, arm)),
            means(arm, TrainedRun.Point::bits),
            colour,
            THICK)
        .setMarker(SeriesMarkers.CIRCLE);
  }

  /** Over the seeds, look by look. */
  private static double[] means(
      ComparisonReport.Arm arm, ToDoubleFunction<TrainedRun.Point> figure) {
    int looks = arm.runs().stream().mapToInt(run -> run.points().size()).min().orElse(0);
    return IntStream.range(0, looks)
        .mapToDouble(look -> arm.over(run -> figure.applyAsDouble(run.points().get(look))).mean())
        .toArray();
  }

  private static XYSeries line(
      XYChart chart, String name, double[] x, double[] y, Color colour, BasicStroke stroke) {
    XYSeries series = chart.addSeries(name, x, y);
    series.setMarker(SeriesMarkers.NONE).setMarkerColor(colour);
    series.setLineColor(colour).setLineStyle(stroke);
    return series;
  }
}
