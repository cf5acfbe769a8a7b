package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;

/**
 * A picture that shows a video at a glance: up to {@value #PICTURES} frames at even distances, each
 * with its time, under the prompt. Takes the frames one by one and keeps only those that it shows.
 */
public final class ContactSheet {
  private static final int PICTURES = 8;
  private static final int COLUMNS = 4;
  private static final int LARGEST_SIDE = 256;
  private static final int MARGIN = 16;
  private static final int GAP = 8;
  private static final int TITLE_LINES = 4;

  private final String title;
  private final double framesPerSecond;
  private final int expected;
  private final TreeMap<Integer, Frame> pictures = new TreeMap<>();
  private int added;

  /**
   * @param title shown on top, usually the prompt
   * @param expected frames that will be added
   * @param framesPerSecond tells the time of each frame
   * @throws IllegalArgumentException if no frame is expected or the rate is not positive
   */
  public ContactSheet(String title, int expected, double framesPerSecond) {
    if (expected < 1 || !(framesPerSecond > 0)) {
      throw new IllegalArgumentException(
          "No contact sheet of " + expected + " frames at " + framesPerSecond + " frames/s");
    }
    this.title = title;
    this.expected = expected;
    this.framesPerSecond = framesPerSecond;
  }

  /** The sheet of a whole video. */
  public static ContactSheet of(String title, Frames frames, double framesPerSecond) {
    ContactSheet sheet = new ContactSheet(title, frames.count(), framesPerSecond);
    frames.forEach(sheet::add);
    return sheet;
  }

  /**
   * Takes the next frame.
   *
   * @throws IllegalArgumentException if its size differs from that of the first
   */
  public void add(Frame frame) {
    if (!pictures.isEmpty()) {
      Frame first = pictures.firstEntry().getValue();
      if (first.width() != frame.width() || first.height() != frame.height()) {
        throw new IllegalArgumentException(
            "Frame " + added + " is " + frame.size() + ", the first was " + first.size());
      }
    }
    int shown = Math.min(PICTURES, expected);
    for (int i = 0; i < shown; i++) {
      int pick = shown == 1 ? 0 : (int) Math.rint(i * (expected - 1.0) / (shown - 1));
      if (pick == added) {
        pictures.put(added, frame);
      }
    }
    added++;
  }

  /**
   * Draws the sheet from the frames so far.
   *
   * @throws IllegalStateException if there is none
   */
  public Frame draw() {
    if (pictures.isEmpty()) {
      throw new IllegalStateException("A contact sheet needs at least one frame");
    }
    Frame first = pictures.firstEntry().getValue();
    double scale = Math.min(1, LARGEST_SIDE / (double) Math.max(first.width(), first.height()));
    int width = Math.max(1, (int) Math.rint(scale * first.width()));
    int height = Math.max(1, (int) Math.rint(scale * first.height()));
    int columns = Math.min(COLUMNS, pictures.size());
    int rows = (pictures.size() + columns - 1) / columns;
    int inside = Math.max(columns * (width + GAP) - GAP, LARGEST_SIDE);
    List<String> lines = Lettering.LARGE.wrapped(title, inside, TITLE_LINES);
    int top = MARGIN + lines.size() * Lettering.LARGE.lineHeight() + GAP;
    int rowHeight = height + Lettering.SMALL.lineHeight() + GAP;
    Canvas canvas =
        new Canvas(2 * MARGIN + inside, top + rows * rowHeight + MARGIN - GAP, Ink.PAPER);
    Lettering.LARGE.draw(canvas, lines, MARGIN, MARGIN, Ink.TEXT);
    int i = 0;
    for (var picture : pictures.entrySet()) {
      int x = MARGIN + i % columns * (width + GAP);
      int y = top + i / columns * rowHeight;
      canvas.frame(PixelScaler.resized(picture.getValue(), width, height), x, y);
      String time = String.format(Locale.ROOT, "%.2f s", picture.getKey() / framesPerSecond);
      Lettering.SMALL.draw(canvas, time, x, y + height + 2, Ink.CAPTION);
      i++;
    }
    return canvas.toFrame();
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
