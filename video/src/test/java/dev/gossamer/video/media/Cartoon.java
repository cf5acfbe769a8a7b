package dev.gossamer.video.media;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Sample frames: a shaded ball that bounces under stars, drawn with soft edges. */
final class Cartoon {
  private Cartoon() {}

  static Frames frames(int count, int width, int height) {
    List<Frame> frames = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      frames.add(frame(i / (double) Math.max(1, count - 1), width, height));
    }
    return new Frames(frames);
  }

  /**
   * @param time 0..1
   */
  static Frame frame(double time, int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    double radius = 0.16 * height;
    double centreX = width * (0.2 + 0.6 * time);
    double centreY = height * (0.75 - 0.45 * Math.abs(Math.sin(2 * Math.PI * time)));
    double[][] stars = stars(width, height);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        double down = y / (double) height;
        double[] colour = {8 + 30 * down, 8 + 22 * down, 40 + 70 * down};
        for (double[] star : stars) {
          mix(colour, 255, 250, 230, 1.6 - Math.hypot(x - star[0], y - star[1]));
        }
        double distance = Math.hypot(x - centreX, y - centreY);
        double shade = 1 - 0.45 * Math.max(0, (x - centreX + y - centreY) / (2 * radius));
        mix(colour, 245 * shade, 80 * shade, 40 * shade, radius - distance);
        double glint = Math.hypot(x - centreX + radius / 3, y - centreY + radius / 3);
        mix(colour, 255, 220, 200, radius / 6 - glint);
        for (int c = 0; c < 3; c++) {
          rgb[3 * (y * width + x) + c] = (byte) Math.rint(colour[c]);
        }
      }
    }
    return new Frame(width, height, rgb);
  }

  private static double[][] stars(int width, int height) {
    Random random = new Random(7);
    double[][] stars = new double[14][];
    for (int i = 0; i < stars.length; i++) {
      stars[i] = new double[] {random.nextDouble() * width, random.nextDouble() * height * 0.8};
    }
    return stars;
  }

  /** Covers what lies {@code inside} a border by at least half a pixel, fades over one pixel. */
  private static void mix(double[] colour, double r, double g, double b, double inside) {
    double cover = Math.max(0, Math.min(1, inside + 0.5));
    double[] over = {r, g, b};
    for (int c = 0; c < 3; c++) {
      colour[c] += cover * (over[c] - colour[c]);
    }
  }

  /** Frames of noise, which compress badly. */
  static Frame noise(long seed, int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    new Random(seed).nextBytes(rgb);
    return new Frame(width, height, rgb);
  }

  static Frame plain(int colour, int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    for (int i = 0; i < rgb.length; i += 3) {
      rgb[i] = (byte) (colour >> 16);
      rgb[i + 1] = (byte) (colour >> 8);
      rgb[i + 2] = (byte) colour;
    }
    return new Frame(width, height, rgb);
  }
}
