package dev.gossamer.video.media;

import java.util.ArrayList;
import java.util.List;

/**
 * Peak signal-to-noise ratio in dB between two videos, on frames of 8-bit RGB before any video
 * compression: per frame {@code 10 log10(255^2 / MSE)} with the mean squared error over all pixels
 * and channels in float64, {@value #CAP} for equal frames.
 *
 * @param mean the mean of {@code perFrame}, which papers report
 * @param ofMeanError the PSNR of the mean squared error of the whole video
 * @param perFrame in order of time
 */
public record Psnr(double mean, double ofMeanError, List<Double> perFrame) {
  /** What equal frames count as, in dB. */
  public static final double CAP = 100;

  public Psnr {
    perFrame = List.copyOf(perFrame);
  }

  /**
   * Compares two videos frame by frame; the order does not matter.
   *
   * @throws IllegalArgumentException if their sizes or counts differ
   */
  public static Psnr of(Frames one, Frames other) {
    requireSameShape(one, other);
    List<Double> perFrame = new ArrayList<>();
    double sum = 0;
    for (int i = 0; i < one.count(); i++) {
      double error = meanSquaredError(one.get(i).rgb(), other.get(i).rgb());
      perFrame.add(decibel(error));
      sum += error;
    }
    return new Psnr(mean(perFrame), decibel(sum / one.count()), perFrame);
  }

  /**
   * For comparison with the paper only, and not a PSNR: what comes out when 8-bit frames are
   * subtracted and squared without widening them first, {@code np.mean((a - b) ** 2)} on {@code
   * uint8}, so that both wrap around at 256. Unrelated videos reach 28 dB by it. Figures of the
   * paper's table fit this and no true PSNR; above 34 dB both agree.
   *
   * @return mean over frames in dB
   * @throws IllegalArgumentException if their sizes or counts differ
   */
  public static double psnrUint8Wrap(Frames one, Frames other) {
    requireSameShape(one, other);
    List<Double> perFrame = new ArrayList<>();
    for (int i = 0; i < one.count(); i++) {
      byte[] a = one.get(i).rgb();
      byte[] b = other.get(i).rgb();
      long sum = 0;
      for (int j = 0; j < a.length; j++) {
        int difference = a[j] - b[j];
        sum += (difference * difference) & 0xff;
      }
      perFrame.add(decibel(sum / (double) a.length));
    }
    return mean(perFrame);
  }

  /** The squares are whole numbers, so a long holds their sum without rounding. */
  private static double meanSquaredError(byte[] a, byte[] b) {
    long sum = 0;
    for (int j = 0; j < a.length; j++) {
      int difference = (a[j] & 0xff) - (b[j] & 0xff);
      sum += (long) difference * difference;
    }
    return sum / (double) a.length;
  }

  private static double decibel(double meanSquaredError) {
    return Math.min(CAP, 10 * Math.log10(255.0 * 255.0 / meanSquaredError));
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
  }

  static void requireSameShape(Frames one, Frames other) {
    if (one.count() != other.count()
        || one.width() != other.width()
        || one.height() != other.height()) {
      throw new IllegalArgumentException(
          "Only videos of one shape compare: " + shape(one) + " against " + shape(other));
    }
  }

  private static String shape(Frames frames) {
    return frames.count() + " frames of " + frames.get(0).size();
  }
}
