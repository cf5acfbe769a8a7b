package dev.gossamer.video.text;

import java.util.Arrays;

/**
 * A text as numbers of a vocabulary, special tokens included, without padding.
 *
 * @param ids [tokens]
 * @param padId what fills a row up to a fixed length
 * @param dropped tokens of the text that were too many and are not among {@code ids}
 */
public record TokenIds(long[] ids, long padId, int dropped) {
  public TokenIds {
    ids = ids.clone();
  }

  @Override
  public long[] ids() {
    return ids.clone();
  }

  /** Tokens of the text itself and its special tokens. */
  public int count() {
    return ids.length;
  }

  /**
   * The ids followed by as many pad ids as give {@code length}.
   *
   * @throws IllegalArgumentException if there are more ids than that
   */
  public long[] padded(int length) {
    if (length < ids.length) {
      throw new IllegalArgumentException(ids.length + " ids do not fit into " + length);
    }
    long[] row = Arrays.copyOf(ids, length);
    Arrays.fill(row, ids.length, length, padId);
    return row;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TokenIds that
        && padId == that.padId
        && dropped == that.dropped
        && Arrays.equals(ids, that.ids);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * Arrays.hashCode(ids) + Long.hashCode(padId)) + dropped;
  }

  @Override
  public String toString() {
    return "TokenIds" + Arrays.toString(ids);
  }
}
