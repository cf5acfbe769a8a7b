package dev.gossamer.bench.video;

import dev.gossamer.bench.attention.AttentionSubject;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.CategorySeries.CategorySeriesRenderStyle;
import org.knowm.xchart.style.Styler.ChartTheme;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** PSNR and SSIM as a picture: a bar for the mean of each attention, a dot for every prompt. */
final class VideoChart {
  private static final int WIDTH = 620;
  private static final int HEIGHT = 460;
  private static final Color BAR = new Color(0xA6CEE3);
  private static final Color DOT = new Color(0x1F3A5F);

  private VideoChart() {}

  static void draw(VideoQualityReport report, OutputStream stream) throws IOException {
    List<CategoryChart> charts =
        List.of(
            chart(report, "PSNR against dense, dB", ComparedVideo::psnr),
            chart(report, "SSIM against dense", ComparedVideo::ssim));
    BitmapEncoder.saveBitmap(charts, 1, 2, stream, BitmapFormat.PNG);
  }

  private static CategoryChart chart(
      VideoQualityReport report, String title, ToDoubleFunction<ComparedVideo> figure) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .theme(ChartTheme.Matlab)
            .title(title)
            .build();
    chart.getStyler().setChartTitleBoxVisible(false);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setLegendVisible(false);
    chart.getStyler().setXAxisLabelRotation(45);
    chart.getStyler().setOverlapped(true);
    List<AttentionSubject> subjects = report.settings().subjects();
    List<String> names = subjects.stream().map(AttentionSubject::label).toList();
    List<Double> means = new ArrayList<>();
    for (AttentionSubject subject : subjects) {
      means.add(report.of(subject).stream().mapToDouble(figure).average().orElse(0));
    }
    CategorySeries bars = chart.addSeries("mean", names, means);
    bars.setFillColor(BAR);
    for (int i = 0; i < report.settings().prompts().size(); i++) {
      List<Double> dots = new ArrayList<>();
      for (AttentionSubject subject : subjects) {
        dots.add(figure.applyAsDouble(report.of(subject).get(i)));
      }
      CategorySeries series = chart.addSeries("prompt " + i, names, dots);
      series.setChartCategorySeriesRenderStyle(CategorySeriesRenderStyle.Scatter);
      series.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(DOT);
    }
    return chart;
  }
}
