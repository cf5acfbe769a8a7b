package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import java.util.List;

/**
 * Positions of a video's tokens as sines and cosines that are added to them: a quarter of the width
 * for the frame, the rest in halves for column and row (in this order), each half sines and half
 * cosines. Diffusers' {@code get_3d_sincos_pos_embed}.
 *
 * @param width of the tokens, a multiple of 16
 * @param spatialScale what rows and columns are divided by
 * @param temporalScale what frames are divided by
 */
public record SinusoidalPositions(int width, double spatialScale, double temporalScale) {
  private static final double SLOWEST = 10_000;

  public SinusoidalPositions {
    if (width < 16 || width % 16 != 0 || !(spatialScale > 0) || !(temporalScale > 0)) {
      throw new IllegalArgumentException(
          "No positions of width " + width + ", scales " + spatialScale + ", " + temporalScale);
    }
  }

  /** {@code [frames * height * width, width]} FLOAT32, last axis fastest. */
  public Tensor table(Device device, int frames, int height, int columns) {
    int side = width * 3 / 8;
    Tensor ordered =
        GridTable.of(
            List.of(
                alongAxis(frames, temporalScale, width / 4).to(device),
                alongAxis(height, spatialScale, side).to(device),
                alongAxis(columns, spatialScale, side).to(device)));
    return Tensor.cat(
        1,
        ordered.narrow(1, 0, width / 4),
        ordered.narrow(1, width / 4 + side, side),
        ordered.narrow(1, width / 4, side));
  }

  private static Tensor alongAxis(int positions, double scale, int part) {
    int half = part / 2;
    double[] values = new double[positions * part];
    for (int position = 0; position < positions; position++) {
      for (int j = 0; j < half; j++) {
        double angle = position / scale * (1 / Math.pow(SLOWEST, (double) j / half));
        values[position * part + j] = Math.sin(angle);
        values[position * part + half + j] = Math.cos(angle);
      }
    }
    return Tensor.of(values, positions, part).to(DType.FLOAT32);
  }
}
