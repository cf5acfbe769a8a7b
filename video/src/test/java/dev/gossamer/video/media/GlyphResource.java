package dev.gossamer.video.media;

import java.awt.Font;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;

/**
 * Writes the resource {@code glyphs.bin.gz} of {@link Lettering}: per size the count of characters,
 * then for each its code point, five bytes of metrics and the picture. Run by hand with the path of
 * the resource and that of {@code DejaVuSans.ttf} 2.37.
 */
final class GlyphResource {
  private static final int[][] RANGES = {
    {0x20, 0x7e}, // ASCII
    {0xa1, 0x17f}, // Latin with accents
    {0x370, 0x3ff}, // Greek
    {0x400, 0x45f}, // Cyrillic
    {0x490, 0x491}, // Ukrainian
    {0x1ea0, 0x1ef9}, // Vietnamese
    {0x2010, 0x2027}, // dashes, quotes, dots
    {0x2030, 0x203a},
    {0x20ac, 0x20ac}, // euro
    {0x2190, 0x2195}, // arrows
    {0x2212, 0x221e}, // minus, infinity
    {0x2248, 0x2265} // relations
  };

  private GlyphResource() {}

  public static void main(String[] args) throws Exception {
    Font font = Font.createFont(Font.TRUETYPE_FONT, Path.of(args[1]).toFile());
    try (DataOutputStream out =
        new DataOutputStream(new GZIPOutputStream(Files.newOutputStream(Path.of(args[0]))))) {
      for (Lettering lettering : Lettering.values()) {
        write(out, font.deriveFont((float) lettering.pixels()), lettering.baseline());
      }
    }
  }

  private static void write(DataOutputStream out, Font font, int baseline) throws IOException {
    int count = 0;
    for (int[] range : RANGES) {
      for (int codePoint = range[0]; codePoint <= range[1]; codePoint++) {
        count += font.canDisplay(codePoint) ? 1 : 0;
      }
    }
    out.writeInt(count);
    for (int[] range : RANGES) {
      for (int codePoint = range[0]; codePoint <= range[1]; codePoint++) {
        if (font.canDisplay(codePoint)) {
          out.writeInt(codePoint);
          Glyph glyph = SystemGlyphs.draw(font, codePoint, baseline);
          out.writeByte(glyph.advance());
          out.writeByte(glyph.left());
          out.writeByte(glyph.top());
          out.writeByte(glyph.width());
          out.writeByte(glyph.height());
          out.write(glyph.cover());
        }
      }
    }
  }
}
