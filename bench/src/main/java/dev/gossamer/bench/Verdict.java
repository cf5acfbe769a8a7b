package dev.gossamer.bench;

import java.util.Locale;

/** Whether BigMac is worth it where it was measured, in words. */
public final class Verdict {
  private Verdict() {}

  /**
   * @param ratio time of fine-grained over that of BigMac
   * @param what was timed, for example {@code a step}
   */
  public static String of(double ratio, String what) {
    return ratio > 1
        ? String.format(Locale.ROOT, "BigMac is %.2f times as fast as fine-grained", ratio)
        : String.format(
            Locale.ROOT,
            "BigMac does not pay here, %s takes %.2f times as long as fine-grained",
            what,
            1 / ratio);
  }
}
