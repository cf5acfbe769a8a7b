package dev.gossamer.lm;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * {@code softmax(q k^T scale) v} of one head, or of several that are stacked before the last two
 * dimensions, in which a token sees itself and what stands before it. Queries are taken in tiles,
 * each with the keys that it may see, so that half of the products is never made and memory holds
 * one tile's scores. The way back makes them again.
 *
 * <p>Queries are the last of the tokens: query i of n stands at place {@code m - n + i} of m keys.
 */
final class CausalProduct {
  private static final int TILE = 128;
  private static final long CARD_SCORES = 1 << 26; // of a tile

  private CausalProduct() {}

  /**
   * @param output {@code [.., n, width]}, written
   * @param q {@code [.., n, headDim]}
   * @param k {@code [.., m, headDim]}
   * @param v {@code [.., m, width]}
   */
  static void forward(Tensor output, Tensor q, Tensor k, Tensor v, double scale) {
    eachTile(
        q,
        k,
        (from, count, seen) ->
            Tensor.matmulInto(
                output.narrow(-2, from, count),
                shares(q.narrow(-2, from, count), k.narrow(-2, 0, seen), scale),
                v.narrow(-2, 0, seen)));
  }

  /**
   * Likewise for queries that all see all keys, as those of a sequence's last token do.
   *
   * @param output {@code [.., n, width]}, written
   */
  static void ofLast(Tensor output, Tensor q, Tensor k, Tensor v, double scale) {
    try (Scope scope = Scope.open()) {
      Tensor scores = scores(q, k, scale);
      Tensor.softmaxInto(scores, scores, -1);
      Tensor.matmulInto(output, scores, v);
    }
  }

  /**
   * Writes the queries' gradient and adds those of keys and values.
   *
   * @param output as the forward pass gave it
   * @param ofOutput its gradient
   */
  static void backward(
      Tensor ofQ,
      Tensor ofK,
      Tensor ofV,
      Tensor q,
      Tensor k,
      Tensor v,
      double scale,
      Tensor output,
      Tensor ofOutput) {
    eachTile(
        q,
        k,
        (from, count, seen) -> {
          Tensor some = q.narrow(-2, from, count);
          Tensor keys = k.narrow(-2, 0, seen);
          Tensor shares = shares(some, keys, scale);
          Tensor dy = ofOutput.narrow(-2, from, count);
          ofV.narrow(-2, 0, seen).addInPlace(shares.transpose(-2, -1).matmul(dy));
          Tensor mean = dy.mul(output.narrow(-2, from, count)).sum(true, -1);
          Tensor ofScores = dy.matmul(v.narrow(-2, 0, seen).transpose(-2, -1)).sub(mean);
          ofScores.mulInPlace(shares).mulInPlace(scale);
          Tensor.matmulInto(ofQ.narrow(-2, from, count), ofScores, keys);
          ofK.narrow(-2, 0, seen).addInPlace(ofScores.transpose(-2, -1).matmul(some));
        });
  }

  private interface Tile {
    void of(long from, long count, long seen);
  }

  private static void eachTile(Tensor q, Tensor k, Tile work) {
    long queries = q.size(-2);
    long before = k.size(-2) - queries;
    long tile = q.device().isCpu() ? TILE : cardTile(q, k);
    for (long from = 0; from < queries; from += tile) {
      long count = Math.min(tile, queries - from);
      try (Scope scope = Scope.open()) {
        work.of(from, count, before + from + count);
      }
    }
  }

  /** To a card, calls are dearer than products that are not needed. */
  static long cardTile(Tensor q, Tensor k) {
    long rows = q.count() / (q.size(-1) * Math.max(1, q.size(-2)));
    return Math.max(TILE, CARD_SCORES / Math.max(1, rows * k.size(-2)));
  }

  /** How much each query takes of each key, {@code [count, seen]}. */
  private static Tensor shares(Tensor q, Tensor k, double scale) {
    long count = q.size(-2);
    Tensor scores = scores(q, k, scale);
    if (count > 1) {
      scores
          .narrow(-1, k.size(-2) - count, count)
          .addInPlace(future(count).to(scores.dtype()).to(scores.device()));
    }
    Tensor.softmaxInto(scores, scores, -1);
    return scores;
  }

  private static Tensor scores(Tensor q, Tensor k, double scale) {
    return q.mul(scale).matmul(k.transpose(-2, -1));
  }

  /** Minus infinity where the key comes after the query, else 0. */
  private static Tensor future(long count) {
    int size = (int) count;
    float[] mask = new float[size * size];
    for (int row = 0; row < size; row++) {
      Arrays.fill(mask, row * size + row + 1, (row + 1) * size, Float.NEGATIVE_INFINITY);
    }
    return Tensor.of(mask, size, size);
  }
}
