package dev.gossamer.moe.parallel;

import java.util.Arrays;

/**
 * How many rows came from whom for which expert of a rank. Rows stand expert by expert, within an
 * expert by sender, and within a sender by token and slot.
 *
 * @param counts {@code [experts][senders]}
 */
public record ExpertRows(int[][] counts) {
  /** Rows of one sender for one expert. */
  public static ExpertRows ofOne(int rows) {
    return new ExpertRows(new int[][] {{rows}});
  }

  /** Rows of an expert. */
  public int of(int expert) {
    return Arrays.stream(counts[expert]).sum();
  }

  /** Bounds of each expert's rows, one more than experts. */
  public int[] offsets() {
    int[] offsets = new int[counts.length + 1];
    for (int expert = 0; expert < counts.length; expert++) {
      offsets[expert + 1] = offsets[expert] + of(expert);
    }
    return offsets;
  }

  public int total() {
    return offsets()[counts.length];
  }
}
