package dev.gossamer.video.media;

import java.util.ArrayList;
import java.util.List;

/**
 * Two videos in one, each under its name, for example dense attention on the left and a sparse
 * method on the right.
 *
 * @param left name of the left video
 * @param right name of the right video
 */
public record SideBySide(String left, String right) {
  private static final int GAP = 4;
  private static final int BAR = 24;

  /**
   * One frame of both: {@code 2 w + }{@value #GAP} pixels wide, {@code h + }{@value #BAR} high.
   *
   * @throws IllegalArgumentException if their sizes differ
   */
  public Frame of(Frame leftFrame, Frame rightFrame) {
    if (leftFrame.width() != rightFrame.width() || leftFrame.height() != rightFrame.height()) {
      throw new IllegalArgumentException(
          "Only frames of one size stand side by side, not "
              + leftFrame.size()
              + " and "
              + rightFrame.size());
    }
    int width = leftFrame.width();
    Canvas canvas = new Canvas(2 * width + GAP, leftFrame.height() + BAR, Ink.DARK_BAR);
    name(canvas, left, 0, width);
    name(canvas, right, width + GAP, width);
    canvas.frame(leftFrame, 0, BAR);
    canvas.frame(rightFrame, width + GAP, BAR);
    return canvas.toFrame();
  }

  private static void name(Canvas canvas, String name, int x, int width) {
    String shown = Lettering.SMALL.fitted(name, width - 2 * GAP);
    int centred = x + (width - Lettering.SMALL.width(shown)) / 2;
    int y = (BAR - Lettering.SMALL.lineHeight()) / 2;
    Lettering.SMALL.draw(canvas, shown, centred, y, Ink.ON_DARK);
  }

  /**
   * All frames of both.
   *
   * @throws IllegalArgumentException if their sizes or counts differ
   */
  public Frames of(Frames leftFrames, Frames rightFrames) {
    if (leftFrames.count() != rightFrames.count()) {
      throw new IllegalArgumentException(
          "Only videos of one length run side by side, not "
              + leftFrames.count()
              + " and "
              + rightFrames.count()
              + " frames");
    }
    List<Frame> both = new ArrayList<>();
    for (int i = 0; i < leftFrames.count(); i++) {
      both.add(of(leftFrames.get(i), rightFrames.get(i)));
    }
    return new Frames(both);
  }
}
