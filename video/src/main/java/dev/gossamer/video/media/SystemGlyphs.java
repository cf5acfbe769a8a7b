package dev.gossamer.video.media;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.Optional;

/**
 * Characters from the fonts of the machine, for those that {@link Lettering} does not bring along
 * (Chinese, for example). This is the only class that needs AWT.
 */
final class SystemGlyphs {
  private SystemGlyphs() {}

  /**
   * @param pixels size of the font
   * @param baseline rows from the top of the line to the baseline
   * @return empty if the fonts do not have it
   * @throws Error or RuntimeException of any kind without fonts, fontconfig or AWT's libraries
   */
  static Optional<Glyph> glyph(int codePoint, int pixels, int baseline) {
    if (System.getProperty("java.awt.headless") == null) {
      System.setProperty("java.awt.headless", "true"); // never look for a screen
    }
    Font font = new Font(Font.SANS_SERIF, Font.PLAIN, pixels);
    return font.canDisplay(codePoint)
        ? Optional.of(draw(font, codePoint, baseline))
        : Optional.empty();
  }

  /** Draws one character of a font, with smooth edges. */
  static Glyph draw(Font font, int codePoint, int baseline) {
    int margin = font.getSize();
    BufferedImage image = new BufferedImage(4 * margin, 4 * margin, BufferedImage.TYPE_BYTE_GRAY);
    Graphics2D graphics = image.createGraphics();
    try {
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.setFont(font);
      graphics.setColor(Color.WHITE);
      String text = Character.toString(codePoint);
      graphics.drawString(text, margin, margin + baseline);
      int advance = graphics.getFontMetrics().stringWidth(text);
      return cropped(
          image.getRaster().getDataElements(0, 0, 4 * margin, 4 * margin, null), margin, advance);
    } finally {
      graphics.dispose();
    }
  }

  private static Glyph cropped(Object raster, int margin, int advance) {
    byte[] cover = (byte[]) raster;
    int side = 4 * margin;
    int left = side;
    int right = -1;
    int top = side;
    int bottom = -1;
    for (int i = 0; i < cover.length; i++) {
      if (cover[i] != 0) {
        left = Math.min(left, i % side);
        right = Math.max(right, i % side);
        top = Math.min(top, i / side);
        bottom = Math.max(bottom, i / side);
      }
    }
    if (right < 0) {
      return new Glyph(advance, 0, 0, 0, 0, new byte[0]);
    }
    int width = right - left + 1;
    int height = bottom - top + 1;
    byte[] picture = new byte[width * height];
    for (int y = 0; y < height; y++) {
      System.arraycopy(cover, (top + y) * side + left, picture, y * width, width);
    }
    return new Glyph(advance, left - margin, top - margin, width, height, picture);
  }
}
