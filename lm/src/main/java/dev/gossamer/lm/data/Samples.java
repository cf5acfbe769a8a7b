package dev.gossamer.lm.data;

import dev.gossamer.tensor.failure.BadInputException;

/**
 * The order in which a file's tokens are learnt from: windows of equal length, each with the token
 * behind it, in an order that is shuffled anew for each pass over the file. Sample n of a run is
 * always the same, whoever asks: nothing depends on the number of ranks, and a run goes on from any
 * step.
 */
public final class Samples {
  private static final int ROUNDS = 4;

  private final TokenFile file;
  private final int length;
  private final long seed;
  private final long windows;
  private final int halfBits;

  /**
   * @param length tokens of a sample
   * @param seed of the order
   * @throws BadInputException if the file is shorter than one window
   */
  public Samples(TokenFile file, int length, long seed) {
    this.file = file;
    this.length = length;
    this.seed = seed;
    this.windows = (file.index().tokens() - 1) / length;
    if (windows < 1) {
      throw new BadInputException(
          String.format(
              "%s has %d tokens, fewer than a sequence of %d and the one behind it",
              file.path(), file.index().tokens(), length),
          "Use more text or shorter sequences");
    }
    int bits = 64 - Long.numberOfLeadingZeros(Math.max(1, windows - 1));
    this.halfBits = (bits + 1) / 2;
  }

  /** Samples of one pass over the file. */
  public long windows() {
    return windows;
  }

  /**
   * Copies a sample.
   *
   * @param sample its number in the run, from 0
   * @param ids written from {@code at} on
   * @param targets likewise, each the token behind the same one of {@code ids}
   */
  public void read(long sample, int[] ids, int[] targets, int at) {
    long window = place(sample % windows, sample / windows);
    file.read(window * length, ids, at, length);
    System.arraycopy(ids, at + 1, targets, at, length - 1);
    file.read((window + 1) * length, targets, at + length - 1, 1);
  }

  /**
   * A permutation of the windows: a Feistel network over the next power of four, walked until it
   * comes to a number that is one of a window.
   */
  long place(long number, long epoch) {
    long value = number;
    do {
      value = shuffled(value, mix(seed ^ mix(epoch + 1)));
    } while (value >= windows);
    return value;
  }

  private long shuffled(long value, long key) {
    long mask = (1L << halfBits) - 1;
    long left = value >>> halfBits;
    long right = value & mask;
    for (int round = 0; round < ROUNDS; round++) {
      long next = left ^ mix(key + round * 0x9e3779b97f4a7c15L + right) & mask;
      left = right;
      right = next;
    }
    return left << halfBits | right;
  }

  private static long mix(long value) { // the finaliser of SplitMix64
    value = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
    value = (value ^ (value >>> 27)) * 0x94d049bb133111ebL;
    return value ^ (value >>> 31);
  }
}
