package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.Tensor;
import java.nio.ByteBuffer;

/**
 * One point for every key cluster that a query group did not select (our step beyond the paper): a
 * pseudo-key with the logit {@code s q.c + log n} and the mean of the cluster's values. It enters
 * the same softmax as the selected keys, so that nothing is left out, only coarsened.
 *
 * @param keys {@code [clusters, width]} in the type of the products: centroid, then log n as the
 *     bias column (very negative for an empty cluster), then zeros
 * @param values {@code [clusters, headDim]} in the type of the products: mean values
 * @param keyBytes the memory of {@code keys}
 * @param valueBytes the memory of {@code values}
 */
public record ClusterTail(Tensor keys, Tensor values, ByteBuffer keyBytes, ByteBuffer valueBytes) {
  public ClusterTail(Tensor keys, Tensor values) {
    this(keys, values, keys.memory(), values.memory());
  }

  public int clusters() {
    return (int) keys.size(0);
  }
}
