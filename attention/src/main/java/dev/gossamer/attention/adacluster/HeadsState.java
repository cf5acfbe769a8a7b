package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What all heads of a layer keep from step to step on the device: centroids to start from, labels
 * to reuse. Belongs to the layer.
 */
final class HeadsState implements AutoCloseable {
  private static final String QUERIES = "queries";
  private static final String KEYS = "keys";
  private static final String KEY_COUNTS = "keyCounts";
  private static final String QUERY_LABELS = "queryLabels";
  private static final String KEY_LABELS = "keyLabels";

  private final Map<String, Tensor> kept = new TreeMap<>();

  /** float32 {@code [heads, clusters, headDim]}. */
  Optional<Tensor> queryCentroids() {
    return Optional.ofNullable(kept.get(QUERIES));
  }

  /** float32 {@code [heads, clusters, headDim]}, in the keys' own coordinates. */
  Optional<Tensor> keyCentroids() {
    return Optional.ofNullable(kept.get(KEYS));
  }

  /** INT32 {@code [heads]}: how many of the key centroids a head has; empty if all. */
  Optional<Tensor> keyCounts() {
    return Optional.ofNullable(kept.get(KEY_COUNTS));
  }

  /** INT64 {@code [heads, tokens]}. */
  Optional<Tensor> queryLabels() {
    return Optional.ofNullable(kept.get(QUERY_LABELS));
  }

  /** INT64 {@code [heads, tokens]}. */
  Optional<Tensor> keyLabels() {
    return Optional.ofNullable(kept.get(KEY_LABELS));
  }

  void queryCentroids(Tensor centroids) {
    keep(QUERIES, centroids);
  }

  void keyCentroids(Tensor centroids) {
    keep(KEYS, centroids);
  }

  void keyCounts(Tensor counts) {
    keep(KEY_COUNTS, counts);
  }

  void labels(Tensor queries, Tensor keys) {
    keep(QUERY_LABELS, queries);
    keep(KEY_LABELS, keys);
  }

  private void keep(String name, Tensor tensor) {
    Tensor before = kept.get(name);
    if (before == tensor) {
      return;
    }
    Scope.detached().adopt(tensor); // this object frees it
    kept.put(name, tensor);
    if (before != null) {
      before.close();
    }
  }

  void save(String prefix, Map<String, Tensor> state) {
    kept.forEach((name, tensor) -> state.put(prefix + name, tensor.narrow(0, 0, tensor.size(0))));
  }

  /** Takes over what was saved, on a device. */
  void restore(String prefix, Map<String, Tensor> state, Device device) {
    for (String name : List.of(QUERIES, KEYS, KEY_COUNTS, QUERY_LABELS, KEY_LABELS)) {
      Tensor saved = state.get(prefix + name);
      if (saved != null) {
        try (Scope scope = Scope.open()) {
          keep(name, saved.to(device).copy());
        }
      }
    }
  }

  @Override
  public void close() {
    kept.values().forEach(Tensor::close);
    kept.clear();
  }
}
