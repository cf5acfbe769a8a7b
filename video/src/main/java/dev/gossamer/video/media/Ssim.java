package dev.gossamer.video.media;

import java.util.ArrayList;
import java.util.List;

/**
 * Structural similarity of two videos (Wang, Bovik, Sheikh, Simoncelli 2004), on frames of 8-bit
 * RGB before any video compression: 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, L 255,
 * only windows that lie wholly inside, population covariance, float64; mean over windows, then over
 * the three channels, then over frames. Equal frames give 1. The same figures as scikit-image's
 * {@code structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
 * data_range=255, channel_axis=-1)}.
 *
 * @param mean the mean of {@code perFrame}
 * @param perFrame in order of time
 */
public record Ssim(double mean, List<Double> perFrame) {
  private static final int TAPS = 11;
  private static final double[] GAUSSIAN = gaussian(1.5);
  private static final double C1 = Math.pow(0.01 * 255, 2);
  private static final double C2 = Math.pow(0.03 * 255, 2);

  public Ssim {
    perFrame = List.copyOf(perFrame);
  }

  /**
   * Compares two videos frame by frame; the order does not matter.
   *
   * @throws IllegalArgumentException if their sizes or counts differ, or a side is under 11 pixels
   */
  public static Ssim of(Frames one, Frames other) {
    Psnr.requireSameShape(one, other);
    if (one.width() < TAPS || one.height() < TAPS) {
      throw new IllegalArgumentException(
          "SSIM needs frames of at least 11x11 pixels, these are " + one.get(0).size());
    }
    List<Double> perFrame = new ArrayList<>();
    double sum = 0;
    for (int i = 0; i < one.count(); i++) {
      double channels = 0;
      for (int channel = 0; channel < 3; channel++) {
        channels += new Comparison(one.get(i), other.get(i), channel).mean();
      }
      perFrame.add(channels / 3);
      sum += channels / 3;
    }
    return new Ssim(sum / one.count(), perFrame);
  }

  private static double[] gaussian(double sigma) {
    double[] taps = new double[TAPS];
    double sum = 0;
    for (int i = 0; i < TAPS; i++) {
      double x = i - TAPS / 2;
      taps[i] = Math.exp(-x * x / (2 * sigma * sigma));
      sum += taps[i];
    }
    for (int i = 0; i < TAPS; i++) {
      taps[i] /= sum;
    }
    return taps;
  }

  /**
   * One channel of two frames. The window is separable: each row is blurred along itself once, the
   * last eleven of those are kept, and blurred across.
   */
  private static final class Comparison {
    private static final int MAPS = 5; // a, b, a*a, b*b, a*b

    private final Frame a;
    private final Frame b;
    private final int channel;
    private final int columns;
    private final double[][][] blurred; // [TAPS, MAPS, columns], a ring over rows
    private final double[][] row; // [MAPS, width]

    Comparison(Frame a, Frame b, int channel) {
      this.a = a;
      this.b = b;
      this.channel = channel;
      this.columns = a.width() - TAPS + 1;
      this.blurred = new double[TAPS][MAPS][columns];
      this.row = new double[MAPS][a.width()];
    }

    double mean() {
      double[][] window = new double[MAPS][columns];
      double sum = 0;
      for (int y = 0; y < a.height(); y++) {
        blurAlong(y);
        if (y >= TAPS - 1) {
          for (int map = 0; map < MAPS; map++) {
            blurAcross(map, y - TAPS + 1, window[map]);
          }
          for (int x = 0; x < columns; x++) {
            sum += similarity(window, x);
          }
        }
      }
      return sum / columns / (a.height() - TAPS + 1);
    }

    private void blurAlong(int y) {
      int at = 3 * y * a.width() + channel;
      for (int x = 0; x < a.width(); x++, at += 3) {
        double p = a.rgb()[at] & 0xff;
        double q = b.rgb()[at] & 0xff;
        row[0][x] = p;
        row[1][x] = q;
        row[2][x] = p * p;
        row[3][x] = q * q;
        row[4][x] = p * q;
      }
      for (int map = 0; map < MAPS; map++) {
        double[] in = row[map];
        double[] out = blurred[y % TAPS][map];
        for (int x = 0; x < columns; x++) {
          out[x] = GAUSSIAN[5] * in[x + 5];
        }
        for (int tap = 0; tap < 5; tap++) { // the window is symmetric
          double weight = GAUSSIAN[tap];
          for (int x = 0; x < columns; x++) {
            out[x] += weight * (in[x + tap] + in[x + TAPS - 1 - tap]);
          }
        }
      }
    }

    private void blurAcross(int map, int top, double[] out) {
      double[] middle = blurred[(top + 5) % TAPS][map];
      for (int x = 0; x < columns; x++) {
        out[x] = GAUSSIAN[5] * middle[x];
      }
      for (int tap = 0; tap < 5; tap++) {
        double weight = GAUSSIAN[tap];
        double[] upper = blurred[(top + tap) % TAPS][map];
        double[] lower = blurred[(top + TAPS - 1 - tap) % TAPS][map];
        for (int x = 0; x < columns; x++) {
          out[x] += weight * (upper[x] + lower[x]);
        }
      }
    }

    private static double similarity(double[][] window, int x) {
      double meanA = window[0][x];
      double meanB = window[1][x];
      double varianceA = window[2][x] - meanA * meanA;
      double varianceB = window[3][x] - meanB * meanB;
      double covariance = window[4][x] - meanA * meanB;
      return (2 * meanA * meanB + C1)
          * (2 * covariance + C2)
          / ((meanA * meanA + meanB * meanB + C1) * (varianceA + varianceB + C2));
    }
  }
}
