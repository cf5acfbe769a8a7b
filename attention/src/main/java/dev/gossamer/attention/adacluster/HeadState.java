package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What one head keeps from step to step: centroids to start from, labels to reuse. The centroids
 * belong to the layer's scope.
 */
final class HeadState {
  private Tensor queryCentroids;
  private Tensor keyCentroids;
  private int[] queryLabels = new int[0];
  private int[] keyLabels = new int[0];

  Optional<Tensor> queryCentroids() {
    return Optional.ofNullable(queryCentroids);
  }

  /** Float32 {@code [clusters, headDim]}, in the keys' own coordinates. */
  Optional<Tensor> keyCentroids() {
    return Optional.ofNullable(keyCentroids);
  }

  void queryCentroids(Tensor centroids) {
    if (queryCentroids != null) {
      queryCentroids.close();
    }
    queryCentroids = centroids;
  }

  void keyCentroids(Tensor centroids) {
    if (keyCentroids != null) {
      keyCentroids.close();
    }
    keyCentroids = centroids;
  }

  int[] queryLabels() {
    return queryLabels;
  }

  int[] keyLabels() {
    return keyLabels;
  }

  void labels(int[] queries, int[] keys) {
    queryLabels = queries;
    keyLabels = keys;
  }

  void save(String prefix, Map<String, Tensor> state) {
    if (queryCentroids != null) {
      state.put(prefix + "queries", view(queryCentroids));
    }
    if (keyCentroids != null) {
      state.put(prefix + "keys", view(keyCentroids));
    }
    if (queryLabels.length > 0) {
      state.put(prefix + "queryLabels", Tensor.of(queryLabels, queryLabels.length));
      state.put(prefix + "keyLabels", Tensor.of(keyLabels, keyLabels.length));
    }
  }

  /** The same memory in the current scope: a later step frees the centroids themselves. */
  private static Tensor view(Tensor centroids) {
    return centroids.narrow(0, 0, centroids.size(0));
  }

  TreeSet<String> restore(String prefix, Map<String, Tensor> state, Scope owner) {
    TreeSet<String> read = new TreeSet<>();
    try (Scope scope = Scope.open()) {
      if (state.containsKey(prefix + "queries")) {
        queryCentroids(owner.adopt(state.get(prefix + "queries").copy()));
        read.add(prefix + "queries");
      }
      if (state.containsKey(prefix + "keys")) {
        keyCentroids(owner.adopt(state.get(prefix + "keys").copy()));
        read.add(prefix + "keys");
      }
      if (state.containsKey(prefix + "queryLabels")) {
        labels(
            state.get(prefix + "queryLabels").toInts(), state.get(prefix + "keyLabels").toInts());
        read.add(prefix + "queryLabels");
        read.add(prefix + "keyLabels");
      }
    }
    return read;
  }
}
