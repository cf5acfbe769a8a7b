package dev.gossamer.video.media;

import java.util.Arrays;

/** A picture to draw on. What lies outside is cut off. Colours are 0xRRGGBB. */
final class Canvas {
  private final int width;
  private final int height;
  private final byte[] rgb;

  Canvas(int width, int height, int colour) {
    this.width = width;
    this.height = height;
    this.rgb = new byte[3 * width * height];
    fill(0, 0, width, height, colour);
  }

  /** Fills a rectangle. */
  void fill(int x, int y, int columns, int rows, int colour) {
    int left = Math.max(0, x);
    int right = Math.min(width, x + columns);
    for (int row = Math.max(0, y); row < Math.min(height, y + rows); row++) {
      for (int at = 3 * (row * width + left); at < 3 * (row * width + right); at += 3) {
        rgb[at] = (byte) (colour >> 16);
        rgb[at + 1] = (byte) (colour >> 8);
        rgb[at + 2] = (byte) colour;
      }
    }
  }

  /** Copies a frame that lies wholly inside. */
  void frame(Frame frame, int x, int y) {
    for (int row = 0; row < frame.height(); row++) {
      System.arraycopy(
          frame.rgb(),
          3 * row * frame.width(),
          rgb,
          3 * ((y + row) * width + x),
          3 * frame.width());
    }
  }

  /** Lays the picture of a character over what is there. */
  void glyph(Glyph glyph, int x, int y, int colour) {
    for (int i = 0; i < glyph.cover().length; i++) {
      int column = x + glyph.left() + i % glyph.width();
      int row = y + glyph.top() + i / glyph.width();
      if (column >= 0 && column < width && row >= 0 && row < height) {
        int cover = glyph.cover()[i] & 0xff;
        int at = 3 * (row * width + column);
        rgb[at] = mixed(rgb[at], colour >> 16, cover);
        rgb[at + 1] = mixed(rgb[at + 1], colour >> 8, cover);
        rgb[at + 2] = mixed(rgb[at + 2], colour, cover);
      }
    }
  }

  private static byte mixed(byte under, int over, int cover) {
    return (byte) (((under & 0xff) * (255 - cover) + (over & 0xff) * cover + 127) / 255);
  }

  /** A copy of what has been drawn. */
  Frame toFrame() {
    return new Frame(width, height, Arrays.copyOf(rgb, rgb.length));
  }
}
