package dev.gossamer.cli;

import java.util.Locale;

/** Amounts as people read them. */
final class Amounts {
  private Amounts() {}

  /** For example {@code 11.4 GB} or {@code 23 MB}. */
  static String bytes(long bytes) {
    return bytes >= 100_000_000
        ? String.format(Locale.ROOT, "%.1f GB", bytes / 1e9)
        : String.format(Locale.ROOT, "%.0f MB", bytes / 1e6);
  }

  /** Floating-point operations, for example {@code 4.7 TFLOP}. */
  static String flops(double flops) {
    return flops >= 1e12
        ? String.format(Locale.ROOT, "%.1f TFLOP", flops / 1e12)
        : String.format(Locale.ROOT, "%.1f GFLOP", flops / 1e9);
  }
}
