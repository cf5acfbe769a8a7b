package dev.gossamer.bench.attention;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.ChartFile;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What {@link AttentionQuality} found: a page, its charts, and the figures as JSON. */
public final class QualityReport {
  /** The page. */
  public static final String PAGE = "attention.md";

  private final QualitySettings settings;
  private final List<QualityPoint> points;
  private final List<Reproduced> reproduced;
  private final List<Changed> changed;

  /** A line of the earlier table, measured again from several starts. */
  record Reproduced(
      EarlierTable.Line line,
      QualityPoint.Tail tail,
      CapturedHead head,
      QualityProbe.Measured measured) {
    double earlier() {
      return line.earlier(tail, head);
    }
  }

  /** One setting changed, everything else as in a line of the earlier table. */
  record Changed(Change change, CapturedHead head, QualityProbe.Measured measured) {}

  /** Settings that might explain a difference to the earlier table. */
  enum Change {
    NOTHING("as in the table above", ""),
    FEW("16 queries of each cluster asked, as the presets do", "+scorer=expectedError"),
    MORE("64 queries of each cluster asked", "+scorer=expectedError(64)"),
    THREE("3 Lloyd iterations", "+itersFirst=3"),
    TEN("10 Lloyd iterations", "+itersFirst=10"),
    TILES("a selection per tile of 48 queries", "+grouping=tile+tileQueries=48"),
    FEW_IN_TILES(
        "both: tiles, and 16 queries of each asked",
        "+grouping=tile+tileQueries=48+scorer=expectedError"),
    BF16("bf16 products", "+products=bfloat16");

    private final String title;
    private final String settings;

    Change(String title, String settings) {
      this.title = title;
      this.settings = settings;
    }

    String title() {
      return title;
    }

    AttentionSubject subject() {
      EarlierTable.Line line = EarlierTable.lines().get(EarlierTable.CHANGED_LINE);
      // A later setting of the same name wins.
      return AttentionSubject.parse(line.subject(QualityPoint.Tail.CENTROID).label() + settings);
    }
  }

  QualityReport(
      QualitySettings settings,
      List<QualityPoint> points,
      List<Reproduced> reproduced,
      List<Changed> changed) {
    this.settings = settings;
    this.points = List.copyOf(points);
    this.reproduced = List.copyOf(reproduced);
    this.changed = List.copyOf(changed);
  }

  QualitySettings settings() {
    return settings;
  }

  List<QualityPoint> points() {
    return points;
  }

  List<Reproduced> reproduced() {
    return reproduced;
  }

  List<Changed> changed() {
    return changed;
  }

  /** The page as Markdown; it shows the charts that {@link #write} puts beside it. */
  public String markdown() {
    return QualityPage.of(this);
  }

  /** Every figure, as JSON: {@code machine}, {@code settings}, {@code points}. */
  public String json() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("machine", MachineFacts.now().document());
    Map<String, Object> how = new LinkedHashMap<>();
    how.put("densities", settings.densities());
    how.put("recallRows", settings.recallRows());
    how.put("starts", settings.starts());
    how.put("products", "float32");
    document.put("settings", how);
    document.put("points", points.stream().map(QualityPoint::document).toList());
    return BenchReport.json(document);
  }

  /**
   * Writes {@code attention.md}, {@code attention.json} and the charts {@code attention-*.png}.
   *
   * @throws GossamerException if they cannot be written
   */
  public void write(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.writeString(folder.resolve(PAGE), markdown());
      Files.writeString(folder.resolve("attention.json"), json() + "\n");
      for (QualityGroup group : QualityGroup.values()) {
        new ChartFile(folder.resolve(QualityPage.chart(group)))
            .write(stream -> QualityCharts.draw(points, group, stream));
      }
    } catch (IOException e) {
      throw new GossamerException(
          "Cannot write the quality page into " + folder + ": " + e.getMessage(),
          "Name a folder that can be written",
          e);
    }
  }
}
