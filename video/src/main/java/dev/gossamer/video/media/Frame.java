package dev.gossamer.video.media;

import java.util.Arrays;

/**
 * One picture of 8-bit RGB, as it travels outside of tensors.
 *
 * @param width pixels of a row, at least 1
 * @param height rows, at least 1
 * @param rgb [height, width, 3], red first, each byte 0..255 unsigned; not copied in or out, so
 *     whoever hands it over must not change it any more
 */
public record Frame(int width, int height, byte[] rgb) {
  /**
   * @throws IllegalArgumentException if the size is not positive or the bytes do not fill it
   */
  public Frame {
    if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
      throw new IllegalArgumentException(
          "No frame: "
              + rgb.length
              + " bytes for "
              + width
              + "x"
              + height
              + " pixels of 3 bytes each");
    }
  }

  /** The colour of a pixel as 0xRRGGBB. */
  public int pixel(int x, int y) {
    int at = 3 * (y * width + x);
    return (rgb[at] & 0xff) << 16 | (rgb[at + 1] & 0xff) << 8 | (rgb[at + 2] & 0xff);
  }

  /** The size as people write it, for example {@code 832x480}. */
  public String size() {
    return width + "x" + height;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Frame frame
        && width == frame.width
        && height == frame.height
        && Arrays.equals(rgb, frame.rgb);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * width + height) + Arrays.hashCode(rgb);
  }

  @Override
  public String toString() {
    return "Frame(" + size() + ")";
  }
}
