package dev.gossamer.video.media;

import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A picture that explains one denoising step: the first, middle and last latent frame as they look
 * now, below each its tokens coloured by key cluster, and beside them the density and the recall of
 * every layer.
 *
 * @param title shown on top, for example step, layer and head
 * @param grid how the tokens lie; only its video tokens count
 * @param labels [frames * height * width], the cluster of each video token, from 0 on
 * @param previews one picture per latent frame, of any size
 * @param density per layer, share of all query-key pairs that were computed exactly, 0..1
 * @param recall per layer, share of attention mass inside these pairs, 0..1; NaN if not measured
 */
public record ExplainSheet(
    String title,
    TokenGrid grid,
    int[] labels,
    Frames previews,
    double[] density,
    double[] recall) {
  private static final int MARGIN = 16;
  private static final int GAP = 12;
  private static final int PANEL = 240;
  private static final int NAMES = 58;
  private static final int CELL = 64;
  private static final int MAP = NAMES + 2 * CELL;
  private static final int ROW = 17;
  private static final int LEGEND = 12;

  /**
   * @throws IllegalArgumentException if the parts do not fit each other
   */
  public ExplainSheet {
    if (labels.length != grid.videoTokens() || Arrays.stream(labels).anyMatch(x -> x < 0)) {
      throw new IllegalArgumentException(
          "A sheet of "
              + grid.videoTokens()
              + " tokens needs as many labels from 0 on, not "
              + labels.length
              + " from "
              + Arrays.stream(labels).min().orElse(0)
              + " on");
    }
    if (previews.count() != grid.frames()) {
      throw new IllegalArgumentException(
          "A sheet of " + grid.frames() + " latent frames got " + previews.count() + " pictures");
    }
    if (density.length == 0 || density.length != recall.length) {
      throw new IllegalArgumentException(
          "Density of "
              + density.length
              + " layers and recall of "
              + recall.length
              + "; both must name every layer");
    }
  }

  /** Draws the sheet. */
  public Frame draw() {
    int[] shown = shownFrames();
    int cell = Math.max(1, PANEL / Math.max(grid.width(), grid.height()));
    int panelWidth = cell * grid.width();
    int panelHeight = cell * grid.height();
    int panels = shown.length * (panelWidth + GAP);
    int caption = Lettering.SMALL.lineHeight();
    int panelRows = 3 * caption + 2 * panelHeight + GAP;
    int mapLayers = Math.max(16, (panelRows - 2 * caption - GAP - LEGEND) / ROW);
    int maps = (density.length + mapLayers - 1) / mapLayers;
    int width = 2 * MARGIN + panels + maps * (GAP + MAP);
    List<String> lines = Lettering.LARGE.wrapped(title, width - 2 * MARGIN, 2);
    int top = MARGIN + lines.size() * Lettering.LARGE.lineHeight() + GAP / 2;
    int mapRows = 2 * caption + Math.min(mapLayers, density.length) * ROW + GAP + LEGEND;
    Canvas canvas = new Canvas(width, top + Math.max(panelRows, mapRows) + MARGIN, Ink.PAPER);
    Lettering.LARGE.draw(canvas, lines, MARGIN, MARGIN, Ink.TEXT);
    for (int i = 0; i < shown.length; i++) {
      panel(canvas, shown[i], MARGIN + i * (panelWidth + GAP), top, cell);
    }
    long clusters = Arrays.stream(labels).distinct().count();
    String note = "tokens by key cluster: " + clusters + " clusters, a colour each";
    int noteY = top + caption + 2 * panelHeight + GAP + caption / 4;
    Lettering.SMALL.draw(canvas, Lettering.SMALL.fitted(note, panels), MARGIN, noteY, Ink.CAPTION);
    for (int map = 0; map < maps; map++) {
      int left = MARGIN + panels + GAP + map * (GAP + MAP);
      int last = Math.min(density.length, (map + 1) * mapLayers);
      heatMap(canvas, left, top, map * mapLayers, last);
    }
    legend(canvas, MARGIN + panels + GAP + NAMES, top + mapRows - caption - LEGEND);
    return canvas.toFrame();
  }

  /** First, middle and last, without saying one twice. */
  private int[] shownFrames() {
    return Arrays.stream(new int[] {0, grid.frames() / 2, grid.frames() - 1}).distinct().toArray();
  }

  /** One latent frame: its number, its picture, its tokens in the colours of their clusters. */
  private void panel(Canvas canvas, int frame, int x, int y, int cell) {
    int width = cell * grid.width();
    int height = cell * grid.height();
    String name = "latent frame " + (frame + 1) + " of " + grid.frames();
    Lettering.SMALL.draw(canvas, Lettering.SMALL.fitted(name, width), x, y, Ink.CAPTION);
    int top = y + Lettering.SMALL.lineHeight();
    canvas.frame(PixelScaler.resized(previews.get(frame), width, height), x, top);
    int below = top + height + GAP;
    int token = frame * grid.height() * grid.width();
    for (int row = 0; row < grid.height(); row++) {
      for (int column = 0; column < grid.width(); column++) {
        int colour = Ink.cluster(labels[token++]);
        canvas.fill(x + column * cell, below + row * cell, cell, cell, colour);
      }
    }
  }

  /** Density and recall of some layers, a row each. */
  private void heatMap(Canvas canvas, int left, int top, int from, int to) {
    int columns = left + NAMES;
    centred(canvas, "density", columns, top, Ink.CAPTION);
    centred(canvas, "recall", columns + CELL, top, Ink.CAPTION);
    int y = top + Lettering.SMALL.lineHeight();
    for (int layer = from; layer < to; layer++) {
      Lettering.SMALL.draw(canvas, "layer " + layer, left, y, Ink.CAPTION);
      share(canvas, density[layer], columns, y);
      share(canvas, recall[layer], columns + CELL, y);
      y += ROW;
    }
  }

  private static void legend(Canvas canvas, int left, int top) {
    for (int x = 0; x < 2 * CELL; x++) {
      canvas.fill(left + x, top, 1, LEGEND, Ink.viridis(x / (2 * CELL - 1.0)));
    }
    int right = left + 2 * CELL - Lettering.SMALL.width("1");
    Lettering.SMALL.draw(canvas, "0", left, top + LEGEND, Ink.CAPTION);
    centred(canvas, "0.5", left + CELL / 2, top + LEGEND, Ink.CAPTION);
    Lettering.SMALL.draw(canvas, "1", right, top + LEGEND, Ink.CAPTION);
  }

  private static void share(Canvas canvas, double share, int x, int y) {
    boolean measured = !Double.isNaN(share);
    int colour = measured ? Ink.viridis(share) : Ink.ABSENT;
    canvas.fill(x, y, CELL - 1, ROW - 1, colour);
    String text = measured ? String.format(Locale.ROOT, "%.3f", share) : "–";
    centred(canvas, text, x, y, Ink.readableOn(colour));
  }

  private static void centred(Canvas canvas, String text, int x, int y, int colour) {
    Lettering.SMALL.draw(canvas, text, x + (CELL - Lettering.SMALL.width(text)) / 2, y, colour);
  }

  /**
   * Writes the sheet as a PNG file.
   *
   * @throws EnvironmentException if the file cannot be written
   */
  public void write(Path path) {
    Png.write(path, draw());
  }
}
