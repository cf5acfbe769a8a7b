package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.UsageException;

/**
 * What an H.264 video file is to be.
 *
 * @param width pixels of a row, 16 .. 4096
 * @param height rows, 16 .. 4096
 * @param framesPerSecond above 0, at most 240
 * @param title shown by players as the title, for example the prompt; may be empty
 * @param comment free text in the file, for example how to make it again; may be empty
 */
public record Mp4Settings(
    int width, int height, double framesPerSecond, String title, String comment) {
  /**
   * @throws UsageException if a value is out of range
   */
  public Mp4Settings {
    if (width < 16 || height < 16 || width > 4096 || height > 4096) {
      throw new UsageException(
          "An H.264 video cannot be " + width + "x" + height + " pixels",
          "Each side must be 16 to 4096 pixels");
    }
    if (!(framesPerSecond > 0 && framesPerSecond <= 240)) {
      throw new UsageException(
          "A video cannot have " + framesPerSecond + " frames/s", "Choose above 0, at most 240");
    }
  }

  /** A video without title and comment. */
  public static Mp4Settings of(int width, int height, double framesPerSecond) {
    return new Mp4Settings(width, height, framesPerSecond, "", "");
  }

  public Mp4Settings withTitle(String newTitle) {
    return new Mp4Settings(width, height, framesPerSecond, newTitle, comment);
  }

  public Mp4Settings withComment(String newComment) {
    return new Mp4Settings(width, height, framesPerSecond, title, newComment);
  }
}
