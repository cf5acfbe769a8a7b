package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.Tensor;

/**
 * One point for every key cluster (our step beyond the paper): a pseudo-key with the logit {@code s
 * q.c + log n} and the mean of the cluster's values. For a query group that did not select the
 * cluster, it enters the same softmax as the selected keys, so that nothing is left out, only
 * coarsened. {@link CoarseAttention} does that.
 *
 * @param keys {@code [clusters, width]} in the type of the products: centroid, then log n as the
 *     bias (very negative for an empty cluster)
 * @param values {@code [clusters, headDim]} in the type of the products: mean values
 */
public record ClusterTail(Tensor keys, Tensor values) {
  public int clusters() {
    return (int) keys.size(0);
  }
}
