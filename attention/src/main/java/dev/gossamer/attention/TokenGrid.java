package dev.gossamer.attention;

/**
 * What the tokens of one attention are: text before, then the video row by row (frame, height,
 * width; width fastest), then text after. Padding that nothing attends to is cut before.
 *
 * @param frames latent frames
 * @param height token rows of a frame
 * @param width tokens of a row
 * @param textBefore text tokens in front of the video
 * @param textAfter text tokens behind the video
 */
public record TokenGrid(int frames, int height, int width, int textBefore, int textAfter) {
  public TokenGrid {
    if (frames < 1 || height < 1 || width < 1 || textBefore < 0 || textAfter < 0) {
      throw new IllegalArgumentException(
          "No token grid: "
              + frames
              + "x"
              + height
              + "x"
              + width
              + " + "
              + textBefore
              + " + "
              + textAfter);
    }
  }

  /** A sequence of video tokens only. */
  public static TokenGrid video(int frames, int height, int width) {
    return new TokenGrid(frames, height, width, 0, 0);
  }

  public int videoTokens() {
    return frames * height * width;
  }

  public int tokens() {
    return textBefore + videoTokens() + textAfter;
  }
}
