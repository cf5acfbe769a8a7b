package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;

/**
 * Repeats rows and columns, and frames but the first, then smooths with a convolution.
 *
 * @param time how often a frame is repeated
 * @param space how often a row and a column is
 */
record Upsample(int time, int space, EdgeConv3d smooth) implements VideoLayer {
  @Override
  public Tensor apply(Tensor x) {
    long later = x.size(2) - 1;
    return smooth.over(
        x,
        1 + later * time,
        x.size(3) * space,
        x.size(4) * space,
        large -> {
          repeat(x.narrow(2, 0, 1), large.narrow(2, 0, 1), 1);
          repeat(x.narrow(2, 1, later), large.narrow(2, 1, later * time), time);
        });
  }

  /** Writes each pixel to all of its places. */
  private void repeat(Tensor x, Tensor to, int times) {
    for (int frame = 0; frame < times; frame++) {
      for (int row = 0; row < space; row++) {
        for (int column = 0; column < space; column++) {
          to.every(2, frame, times).every(3, row, space).every(4, column, space).copyFrom(x);
        }
      }
    }
  }
}
