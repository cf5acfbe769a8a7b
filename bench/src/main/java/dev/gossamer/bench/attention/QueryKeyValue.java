package dev.gossamer.bench.attention;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;

/**
 * The inputs of one self-attention.
 *
 * @param query {@code [1, heads, tokens, headDim]}, after norm and rotary embedding
 * @param key likewise
 * @param value likewise
 */
record QueryKeyValue(Tensor query, Tensor key, Tensor value) {
  int heads() {
    return (int) query.size(1);
  }

  int tokens() {
    return (int) query.size(2);
  }

  int headDim() {
    return (int) query.size(3);
  }

  /** The same numbers in another type, in the current scope. */
  QueryKeyValue to(DType dtype) {
    return new QueryKeyValue(query.to(dtype), key.to(dtype), value.to(dtype));
  }

  /** Multiplications and additions of exact attention: two products of {@code 2 N^2 d} per head. */
  double denseFlops() {
    return 4.0 * tokens() * tokens() * headDim() * heads();
  }

  /**
   * Exact attention by libtorch's own kernel, one head per work item.
   *
   * @param output {@code [1, heads, tokens, headDim]}, written
   */
  void exactInto(Tensor output, Threads threads) {
    double scale = 1 / Math.sqrt(headDim());
    threads.forEach(
        heads(),
        h ->
            output
                .narrow(1, h, 1)
                .copyFrom(
                    query
                        .narrow(1, h, 1)
                        .scaledDotProductAttention(
                            key.narrow(1, h, 1), value.narrow(1, h, 1), null, scale)));
  }

  /** Exact attention in one call, which spreads it over libtorch's own threads. */
  Tensor exact() {
    return query.scaledDotProductAttention(key, value, null, 1 / Math.sqrt(headDim()));
  }

  /**
   * Relative L2 distance |output - reference| / |reference| over everything, in float64.
   *
   * @param output any floating type
   * @param reference same shape
   */
  static double relativeError(Tensor output, Tensor reference) {
    try (Scope scope = Scope.open()) {
      Tensor exact = reference.to(DType.FLOAT64);
      Tensor distance = output.to(DType.FLOAT64).sub(exact);
      return Math.sqrt(distance.square().sum().item() / exact.square().sum().item());
    }
  }
}
