package dev.gossamer.video.media;

import java.util.function.DoubleUnaryOperator;

/**
 * Resizing of pictures with Pillow's arithmetic, bit for bit: models see pictures as their
 * reference prepared them. A filter is widened when a picture shrinks; columns first, then rows,
 * each in fixed point and rounded to 8 bits.
 */
public enum Resampling {
  /** Cubic convolution with a = -0.5. */
  BICUBIC(2, Resampling::cubic),
  /** A sinc, windowed by a wider one. */
  LANCZOS(3, x -> Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0);

  private static final int BITS = 32 - 8 - 2;
  private static final int HALF = 1 << BITS - 1;

  private final double support;
  private final DoubleUnaryOperator filter;

  Resampling(double support, DoubleUnaryOperator filter) {
    this.support = support;
    this.filter = filter;
  }

  private static double cubic(double at) {
    double x = Math.abs(at);
    double a = -0.5;
    if (x < 1) {
      return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  }

  private static double sinc(double x) {
    return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
  }

  /** A picture at another size; the same one if that is its size. */
  public Frame resize(Frame picture, int width, int height) {
    return resize(picture, 0, 0, picture.width(), picture.height(), width, height);
  }

  /**
   * The middle of a picture, as large as its shape allows, at another size: it fills the size
   * without being stretched.
   */
  public Frame cover(Frame picture, int width, int height) {
    double scale = Math.min((double) picture.width() / width, (double) picture.height() / height);
    double left = (picture.width() - width * scale) / 2;
    double top = (picture.height() - height * scale) / 2;
    return resize(
        picture, left, top, picture.width() - left, picture.height() - top, width, height);
  }

  private Frame resize(
      Frame picture, double left, double top, double right, double bottom, int width, int height) {
    byte[] rgb = picture.rgb();
    int columns = picture.width();
    if (width != picture.width() || left > 0) {
      Weights weights = weights(picture.width(), left, right, width);
      rgb = across(rgb, picture.height(), picture.width(), weights);
      columns = width;
    }
    if (height != picture.height() || top > 0) {
      rgb = down(rgb, columns, weights(picture.height(), top, bottom, height));
    }
    return new Frame(width, height, rgb);
  }

  /** Of each output: its first input, and the weights from there on. */
  private record Weights(int[] first, int[][] factors) {}

  private Weights weights(int in, double from, double to, int out) {
    double scale = (to - from) / out;
    double wide = Math.max(scale, 1);
    int[] first = new int[out];
    int[][] factors = new int[out][];
    for (int i = 0; i < out; i++) {
      double centre = from + (i + 0.5) * scale;
      int low = Math.max(0, (int) (centre - support * wide + 0.5));
      int high = Math.min(in, (int) (centre + support * wide + 0.5));
      double[] exact = new double[high - low];
      double sum = 0;
      for (int x = 0; x < exact.length; x++) {
        exact[x] = filter.applyAsDouble((x + low - centre + 0.5) * (1 / wide));
        sum += exact[x];
      }
      first[i] = low;
      factors[i] = new int[exact.length];
      for (int x = 0; x < exact.length; x++) {
        double factor = (sum == 0 ? exact[x] : exact[x] / sum) * (1 << BITS);
        factors[i][x] = (int) (factor < 0 ? factor - 0.5 : factor + 0.5);
      }
    }
    return new Weights(first, factors);
  }

  private static byte[] across(byte[] rgb, int rows, int columns, Weights weights) {
    int out = weights.first().length;
    byte[] result = new byte[3 * rows * out];
    for (int y = 0; y < rows; y++) {
      for (int x = 0; x < out; x++) {
        int from = 3 * (y * columns + weights.first()[x]);
        weigh(rgb, from, 3, weights.factors()[x], result, 3 * (y * out + x));
      }
    }
    return result;
  }

  private static byte[] down(byte[] rgb, int columns, Weights weights) {
    int out = weights.first().length;
    byte[] result = new byte[3 * columns * out];
    for (int y = 0; y < out; y++) {
      for (int x = 0; x < columns; x++) {
        int from = 3 * (weights.first()[y] * columns + x);
        weigh(rgb, from, 3 * columns, weights.factors()[y], result, 3 * (y * columns + x));
      }
    }
    return result;
  }

  /** The weighted sum of pixels that lie {@code step} bytes apart. */
  private static void weigh(byte[] rgb, int from, int step, int[] factors, byte[] result, int to) {
    for (int colour = 0; colour < 3; colour++) {
      int sum = HALF;
      for (int i = 0; i < factors.length; i++) {
        sum += (rgb[from + colour + i * step] & 0xff) * factors[i];
      }
      result[to + colour] = (byte) Math.max(0, Math.min(255, sum >> BITS));
    }
  }
}
