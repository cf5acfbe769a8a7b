package dev.gossamer.bench.video;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.ChartFile;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** What {@link VideoQuality} found: a page, a chart, and the figures as JSON. */
public final class VideoQualityReport {
  /** The chart that the page shows. */
  static final String CHART = "videos.png";

  private final String model;
  private final VideoQualitySettings settings;
  private final List<ComparedVideo> videos;

  VideoQualityReport(String model, VideoQualitySettings settings, List<ComparedVideo> videos) {
    this.model = model;
    this.settings = settings;
    this.videos = List.copyOf(videos);
  }

  /** The comparisons of one attention, in the order of the prompts. */
  List<ComparedVideo> of(AttentionSubject subject) {
    return videos.stream().filter(video -> video.attention().equals(subject.label())).toList();
  }

  VideoQualitySettings settings() {
    return settings;
  }

  private double mean(AttentionSubject subject, ToDoubleFunction<ComparedVideo> figure) {
    return of(subject).stream().mapToDouble(figure).average().orElse(Double.NaN);
  }

  private double worst(AttentionSubject subject, ToDoubleFunction<ComparedVideo> figure) {
    return of(subject).stream().mapToDouble(figure).min().orElse(Double.NaN);
  }

  /** One line per attention: means over the prompts, and the worst prompt. */
  private TextTable summary() {
    TextTable table =
        new TextTable(
            "attention",
            "PSNR",
            "worst",
            "SSIM",
            "worst",
            "density",
            "tail",
            "of all calls",
            "PSNR by uint8");
    for (AttentionSubject subject : settings.subjects()) {
      table.row(
          subject.label(),
          figure(mean(subject, ComparedVideo::psnr), 1),
          figure(worst(subject, ComparedVideo::psnr), 1),
          figure(mean(subject, ComparedVideo::ssim), 3),
          figure(worst(subject, ComparedVideo::ssim), 3),
          figure(mean(subject, ComparedVideo::sparseDensity), 3),
          figure(mean(subject, ComparedVideo::pseudoKeys), 3),
          figure(mean(subject, ComparedVideo::density), 3),
          figure(mean(subject, ComparedVideo::psnrUint8Wrap), 1));
    }
    return table;
  }

  /** The summary for a terminal. */
  public String table() {
    return summary().plain();
  }

  /** The page as Markdown; it shows the chart that {@link #write} puts beside it. */
  public String markdown() {
    StringBuilder text =
        new StringBuilder(
            """
            # Whole videos against dense attention

            Made by `gossamer bench generate --quality docs/quality`; change the program, not \
            this page. How to read it stands in [README.md](README.md).

            %s, %d frames of %s, %d steps, guidance %s, seed %d, %s (decoder %s). Each video is \
            compared with the one that dense attention makes of the same noise: decoded frames \
            as 8-bit RGB before any video compression, PSNR and SSIM per frame in float64, \
            means over frames, then over %d prompts.

            - **density**: share of query-key pairs computed exactly in the calls that are \
            clustered; **tail**: one point per cluster on top; **of all calls**: with the dense \
            first steps and dense layers counted as 1.
            - **PSNR by uint8**: what subtraction in 8 bits makes of it, which published tables \
            of such methods seem to show; for comparison with them only.

            ![PSNR and SSIM of every prompt](%s)

            """
                .formatted(
                    model,
                    settings.frames(),
                    settings.size(),
                    settings.steps(),
                    figure(settings.guidance(), 1),
                    settings.seed(),
                    settings.options().dtype().optionName(),
                    settings.options().decoderDtype().optionName(),
                    settings.prompts().size(),
                    CHART));
    text.append(summary().markdown()).append("\n## Every prompt\n\nPSNR / SSIM.\n\n");
    text.append(perPrompt().markdown());
    return text.toString();
  }

  private TextTable perPrompt() {
    List<String> columns = new ArrayList<>(List.of("prompt"));
    settings.subjects().forEach(subject -> columns.add(subject.label()));
    TextTable table = new TextTable(columns.toArray(String[]::new));
    for (int i = 0; i < settings.prompts().size(); i++) {
      List<String> cells = new ArrayList<>(List.of(settings.prompts().get(i)));
      for (AttentionSubject subject : settings.subjects()) {
        ComparedVideo video = of(subject).get(i);
        cells.add(figure(video.psnr(), 1) + " / " + figure(video.ssim(), 3));
      }
      table.row(cells);
    }
    return table;
  }

  /** Means and settings as JSON: {@code machine}, {@code settings}, {@code rows}. */
  public String json() {
    Map<String, Object> how = new LinkedHashMap<>();
    how.put("model", model);
    how.put("prompts", settings.prompts());
    how.put("frames", settings.frames());
    how.put("size", settings.size().toString());
    how.put("steps", settings.steps());
    how.put("guidance", settings.guidance());
    how.put("seed", settings.seed());
    List<Map<String, Object>> rows = new ArrayList<>();
    for (AttentionSubject subject : settings.subjects()) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("subject", subject.label());
      row.put("psnr", mean(subject, ComparedVideo::psnr));
      row.put("worstPsnr", worst(subject, ComparedVideo::psnr));
      row.put("ssim", mean(subject, ComparedVideo::ssim));
      row.put("worstSsim", worst(subject, ComparedVideo::ssim));
      row.put("density", mean(subject, ComparedVideo::sparseDensity));
      row.put("pseudoKeys", mean(subject, ComparedVideo::pseudoKeys));
      row.put("densityOfAllCalls", mean(subject, ComparedVideo::density));
      row.put("settings", subject.create().settings());
      rows.add(row);
    }
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("machine", MachineFacts.now().document());
    document.put("settings", how);
    document.put("rows", rows);
    return BenchReport.json(document);
  }

  /**
   * Writes {@code videos.md}, {@code videos.json} and {@code videos.png}.
   *
   * @throws GossamerException if they cannot be written
   */
  public void write(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.writeString(folder.resolve("videos.md"), markdown());
      Files.writeString(folder.resolve("videos.json"), json() + "\n");
      new ChartFile(folder.resolve(CHART)).write(stream -> VideoChart.draw(this, stream));
    } catch (IOException e) {
      throw new GossamerException(
          "Cannot write the quality page into " + folder + ": " + e.getMessage(),
          "Name a folder that can be written",
          e);
    }
  }
}
