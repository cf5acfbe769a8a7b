package dev.gossamer.video.media;

import java.nio.IntBuffer;

/**
 * How a stored picture is turned to be seen as it was taken: where its axes point on the screen,
 * each by -1, 0 or 1.
 *
 * @param xToX how far right a step to the right goes
 * @param xToY how far down a step to the right goes
 * @param yToX how far right a step down goes
 * @param yToY how far down a step down goes
 */
record Turn(int xToX, int xToY, int yToX, int yToY) {
  static final Turn NONE = new Turn(1, 0, 0, 1);

  /**
   * Of a display matrix, nine numbers row by row; {@link #NONE} for one that is no turn by right
   * angles.
   */
  static Turn of(IntBuffer matrix) {
    Turn turn =
        new Turn(
            Integer.signum(matrix.get(0)),
            Integer.signum(matrix.get(1)),
            Integer.signum(matrix.get(3)),
            Integer.signum(matrix.get(4)));
    boolean right = turn.xToX * turn.yToY + turn.xToY * turn.yToX != 0;
    return right && turn.xToX * turn.xToY == 0 && turn.yToX * turn.yToY == 0 ? turn : NONE;
  }

  /** The picture as it is seen. */
  Frame of(Frame stored) {
    if (equals(NONE)) {
      return stored;
    }
    int width = xToX == 0 ? stored.height() : stored.width();
    int height = xToX == 0 ? stored.width() : stored.height();
    int left = xToX + yToX < 0 ? width - 1 : 0; // where the stored corner lies
    int top = xToY + yToY < 0 ? height - 1 : 0;
    byte[] rgb = new byte[stored.rgb().length];
    int from = 0;
    for (int y = 0; y < stored.height(); y++) {
      for (int x = 0; x < stored.width(); x++) {
        int to = 3 * ((top + x * xToY + y * yToY) * width + left + x * xToX + y * yToX);
        rgb[to] = stored.rgb()[from++];
        rgb[to + 1] = stored.rgb()[from++];
        rgb[to + 2] = stored.rgb()[from++];
      }
    }
    return new Frame(width, height, rgb);
  }
}
