package dev.gossamer.bench.video;

import dev.gossamer.tensor.failure.UsageException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Width and height of a video in pixels.
 *
 * @param width pixels of a row
 * @param height rows
 */
public record FrameSize(int width, int height) {
  private static final Pattern FORM = Pattern.compile("(\\d{1,5})x(\\d{1,5})");

  /**
   * Reads {@code 256x256}.
   *
   * @throws UsageException if it has another form
   */
  public static FrameSize parse(String text) {
    Matcher matcher = FORM.matcher(text.trim());
    if (!matcher.matches()) {
      throw new UsageException("Cannot read the size '" + text + "'", "Write WxH, as in 256x256");
    }
    return new FrameSize(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
  }

  @Override
  public String toString() {
    return width + "x" + height;
  }
}
