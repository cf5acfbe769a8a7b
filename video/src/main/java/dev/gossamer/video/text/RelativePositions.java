package dev.gossamer.video.text;

import dev.gossamer.tensor.Tensor;

/**
 * The buckets into which T5 sorts the distance from a query to a key: the first quarter of the
 * buckets are single distances up to and including the query's own place, the next quarter grow
 * logarithmically, and the other half are the same for keys behind the query.
 */
final class RelativePositions {
  private RelativePositions() {}

  /**
   * @param distance key position minus query position
   * @return 0 .. buckets - 1
   */
  static int bucket(int distance, int buckets, int maxDistance) {
    int half = buckets / 2;
    int exact = half / 2;
    int steps = Math.abs(distance);
    int place;
    if (steps < exact) {
      place = steps;
    } else {
      // float32 throughout, as in the reference: the borders of the buckets depend on rounding.
      float span = (float) Math.log((double) maxDistance / exact);
      float log = (float) Math.log((float) steps / exact);
      place = Math.min(half - 1, exact + (int) (log / span * (half - exact)));
    }
    return distance > 0 ? half + place : place;
  }

  /** INT64 [tokens * tokens]: the bucket of every pair, row by row of queries. */
  static Tensor buckets(int tokens, T5Config config) {
    long[] byDistance = new long[2 * tokens - 1];
    for (int i = 0; i < byDistance.length; i++) {
      byDistance[i] = bucket(i - (tokens - 1), config.buckets(), config.maxDistance());
    }
    long[] pairs = new long[Math.multiplyExact(tokens, tokens)];
    for (int query = 0; query < tokens; query++) {
      System.arraycopy(byDistance, tokens - 1 - query, pairs, query * tokens, tokens);
    }
    return Tensor.of(pairs, pairs.length);
  }
}
