package dev.gossamer.cli.bundle;

import java.util.regex.Pattern;

/**
 * What a bundle may go without, to be smaller: the commands that want it say that it is missing.
 */
public enum BundlePart {
  /** Weights of the small models, for videos (23 MB) and for text (5 MB). */
  MODEL("dev/gossamer/mini/.*\\.safetensors"),
  /** ffmpeg, which writes videos, 50 MB. */
  ENCODER("org/bytedeco/ffmpeg/.*"),
  /** Queries, keys and values captured for benchmarks on a processor, 10 MB. */
  CAPTURES("dev/gossamer/bench/attention/.*\\.safetensors");

  private final Pattern entries;

  BundlePart(String entries) {
    this.entries = Pattern.compile(entries);
  }

  /** Whether an entry of a jar belongs to it. */
  boolean holds(String entry) {
    return entries.matcher(entry).matches();
  }
}
