package dev.gossamer.bench.video;

/**
 * Width and height of a video in pixels.
 *
 * @param width pixels of a row
 * @param height rows
 */
public record VideoSize(int width, int height) {
  @Override
  public String toString() {
    return width + "x" + height;
  }
}
