package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.vector.VectorTile;

/**
 * Arrays of a head or of a thread on the vector path, kept between calls: fresh ones of megabytes
 * would cost their zeros and the collector's time at every call. One user at a time.
 */
final class VectorMemory {
  /** What arrays are for; each is as long as the longest wish so far. */
  enum Use {
    QUERIES,
    KEYS,
    VALUES,
    SORTED_KEYS,
    SORTED_VALUES,
    SCORES,
    BIAS,
    OUTPUT
  }

  private final float[][] arrays = new float[Use.values().length][0];
  private int[] rows = new int[0];
  private VectorTile tile = new VectorTile(1);

  /** At least that long; holds whatever it held before. */
  float[] floats(Use use, int length) {
    if (arrays[use.ordinal()].length < length) {
      arrays[use.ordinal()] = new float[length];
    }
    return arrays[use.ordinal()];
  }

  /** A list of rows, at least that long. */
  int[] rows(int length) {
    if (rows.length < length) {
      rows = new int[length];
    }
    return rows;
  }

  VectorTile tile(int headDim) {
    if (tile.headDim() != headDim) {
      tile = new VectorTile(headDim);
    }
    return tile;
  }
}
