package dev.gossamer.video.media;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.zip.GZIPInputStream;

/**
 * Writing in pictures. The characters of European scripts come along as a resource, drawn once from
 * DejaVu Sans, so that sheets look the same on every machine and need neither fonts nor AWT, whose
 * start costs half a second. Others come from the fonts of the machine, or are an empty box.
 */
enum Lettering {
  /** For captions, 13 pixels. */
  SMALL(13, 16, 12),
  /** For titles, 18 pixels. */
  LARGE(18, 22, 17);

  private static final String RESOURCE = "glyphs.bin.gz";

  private final int pixels;
  private final int lineHeight;
  private final int baseline;
  private final Map<Integer, Glyph> glyphs = new ConcurrentHashMap<>();

  Lettering(int pixels, int lineHeight, int baseline) {
    this.pixels = pixels;
    this.lineHeight = lineHeight;
    this.baseline = baseline;
  }

  /** The size of the font. */
  int pixels() {
    return pixels;
  }

  /** Rows from the top of one line to the top of the next. */
  int lineHeight() {
    return lineHeight;
  }

  /** Rows from the top of a line to the baseline. */
  int baseline() {
    return baseline;
  }

  /** Pixels that a text takes in one line. */
  int width(String text) {
    return printable(text).codePoints().map(codePoint -> glyph(codePoint).advance()).sum();
  }

  /** Draws a text in one line. */
  void draw(Canvas canvas, String text, int x, int y, int colour) {
    int[] pen = {x};
    printable(text)
        .codePoints()
        .forEach(
            codePoint -> {
              Glyph glyph = glyph(codePoint);
              canvas.glyph(glyph, pen[0], y, colour);
              pen[0] += glyph.advance();
            });
  }

  /** Draws lines below each other. */
  void draw(Canvas canvas, List<String> lines, int x, int y, int colour) {
    for (int i = 0; i < lines.size(); i++) {
      draw(canvas, lines.get(i), x, y + i * lineHeight, colour);
    }
  }

  /** The text, or as much of it as fits a width, with three dots then. */
  String fitted(String text, int width) {
    return wrapped(text, width, 1).get(0);
  }

  /**
   * Breaks a text at spaces into lines that fit a width; words longer than a line break anywhere.
   *
   * @param maxLines at least 1; what does not fit them ends in three dots
   * @return at least one line
   */
  List<String> wrapped(String text, int width, int maxLines) {
    List<String> lines = new ArrayList<>();
    String rest = printable(text).strip();
    while (lines.size() < maxLines - 1 && width(rest) > width) {
      int end = fitting(rest, width);
      int space = rest.lastIndexOf(' ', end);
      int cut = space > 0 ? space : end;
      lines.add(rest.substring(0, cut).strip());
      rest = rest.substring(cut).strip();
    }
    if (width(rest) > width) {
      rest = rest.substring(0, fitting(rest, width - width("…"))).strip() + "…";
    }
    lines.add(rest);
    return lines;
  }

  /** How many chars from the start fit a width, whole code points, at least one. */
  private int fitting(String text, int width) {
    int end = text.offsetByCodePoints(0, 1);
    int used = glyph(text.codePointAt(0)).advance();
    while (end < text.length()) {
      int codePoint = text.codePointAt(end);
      used += glyph(codePoint).advance();
      if (used > width) {
        return end;
      }
      end += Character.charCount(codePoint);
    }
    return end;
  }

  private static String printable(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFC).replaceAll("[\\s\\p{Cntrl}]+", " ");
  }

  private Glyph glyph(int codePoint) {
    Glyph shipped = Shipped.GLYPHS.get(this).get(codePoint);
    return shipped != null ? shipped : glyphs.computeIfAbsent(codePoint, this::borrowed);
  }

  private Glyph borrowed(int codePoint) {
    try {
      return SystemGlyphs.glyph(codePoint, pixels, baseline).orElseGet(this::box);
    } catch (OutOfMemoryError e) {
      throw e;
    } catch (Error | RuntimeException e) {
      // Without fonts or without AWT every version of Java throws something else.
      return box();
    }
  }

  /** What stands for a character that nobody can draw. */
  private Glyph box() {
    int width = pixels / 2;
    int height = pixels * 3 / 4;
    byte[] cover = new byte[width * height];
    for (int i = 0; i < cover.length; i++) {
      int x = i % width;
      int y = i / width;
      boolean edge = x == 0 || y == 0 || x == width - 1 || y == height - 1;
      cover[i] = (byte) (edge ? 200 : 0);
    }
    return new Glyph(width + 3, 1, baseline - height, width, height, cover);
  }

  /** The resource, read when the first text is drawn. */
  private static final class Shipped {
    private static final Map<Lettering, Map<Integer, Glyph>> GLYPHS = read();

    /** The layout is that of {@code GlyphResource} in the tests, which writes the file. */
    private static Map<Lettering, Map<Integer, Glyph>> read() {
      Map<Lettering, Map<Integer, Glyph>> all = new HashMap<>();
      try (InputStream resource = Lettering.class.getResourceAsStream(RESOURCE);
          DataInputStream in = new DataInputStream(new GZIPInputStream(resource))) {
        for (Lettering lettering : values()) {
          Map<Integer, Glyph> glyphs = new HashMap<>();
          for (int left = in.readInt(); left > 0; left--) {
            glyphs.put(in.readInt(), glyph(in));
          }
          all.put(lettering, glyphs);
        }
      } catch (IOException e) {
        throw new UncheckedIOException("The resource " + RESOURCE + " is damaged", e);
      }
      return all;
    }

    private static Glyph glyph(DataInputStream in) throws IOException {
      int advance = in.readByte();
      int left = in.readByte();
      int top = in.readByte();
      int width = in.readByte();
      int height = in.readByte();
      return new Glyph(advance, left, top, width, height, in.readNBytes(width * height));
    }
  }
}
