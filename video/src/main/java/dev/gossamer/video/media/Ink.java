package dev.gossamer.video.media;

/** The colours of our sheets, 0xRRGGBB. */
final class Ink {
  static final int PAPER = 0xffffff;
  static final int TEXT = 0x1f2328;
  static final int CAPTION = 0x59636e;
  static final int ABSENT = 0xd8dee4;
  static final int DARK_BAR = 0x1f2328;
  static final int ON_DARK = 0xf0f3f6;

  /** Viridis at 0, 1/9 .. 1: equal steps look equal, also in grey and to the colour-blind. */
  private static final int[] VIRIDIS = {
    0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b,
    0xfde725
  };

  private Ink() {}

  /**
   * The colour of a share.
   *
   * @param share 0..1; what lies outside gets the colour of the nearer end
   */
  static int viridis(double share) {
    double position = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
    int below = Math.min((int) position, VIRIDIS.length - 2);
    int mixed = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
      int low = (VIRIDIS[below] >> shift) & 0xff;
      int high = (VIRIDIS[below + 1] >> shift) & 0xff;
      mixed |= (int) Math.rint(low + (position - below) * (high - low)) << shift;
    }
    return mixed;
  }

  /** Black or white, whichever can be read on a colour. */
  static int readableOn(int colour) {
    int luma = 299 * (colour >> 16 & 0xff) + 587 * (colour >> 8 & 0xff) + 114 * (colour & 0xff);
    return luma > 140_000 ? TEXT : PAPER;
  }

  /**
   * The colour of a cluster: the same for the same number in every picture, far from those of the
   * numbers next to it. The hue turns by the golden angle, which keeps any run of numbers apart,
   * while lightness and saturation take turns.
   */
  static int cluster(int number) {
    double hue = number * 0.6180339887498949 % 1;
    double lightness = new double[] {0.52, 0.70, 0.36}[number % 3];
    double saturation = new double[] {0.80, 0.60}[number / 3 % 2];
    return hsl(hue, saturation, lightness);
  }

  private static int hsl(double hue, double saturation, double lightness) {
    double amplitude = saturation * Math.min(lightness, 1 - lightness);
    int colour = 0;
    for (int offset : new int[] {0, 8, 4}) { // red, green, blue
      double k = (offset + hue * 12) % 12;
      double value = lightness - amplitude * Math.max(-1, Math.min(Math.min(k - 3, 9 - k), 1));
      colour = colour << 8 | (int) Math.rint(255 * value);
    }
    return colour;
  }
}
