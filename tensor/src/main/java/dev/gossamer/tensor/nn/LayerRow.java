package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Scope;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The layers of a model, one after the other: in memory all the time, or each only while it runs.
 * Either way they compute the same bits.
 *
 * @param <L> a layer
 */
public final class LayerRow<L> {
  private final int count;
  private final List<L> resident; // empty where each is loaded when it runs
  private final Loader<L> loader;

  /**
   * Loads a layer.
   *
   * @param <L> a layer
   */
  public interface Loader<L> {
    /**
     * @param index of the layer, from 0
     * @param owner of its weights, which closes when the layer has run
     */
    L load(int index, Scope owner);
  }

  private LayerRow(int count, List<L> resident, Loader<L> loader) {
    this.count = count;
    this.resident = List.copyOf(resident);
    this.loader = loader;
  }

  /** Layers whose weights belong to somebody else and stay. */
  public static <L> LayerRow<L> resident(List<L> layers) {
    return new LayerRow<>(
        layers.size(),
        layers,
        (index, owner) -> {
          throw new IllegalStateException("All layers are there");
        });
  }

  /** Layers that are loaded each time they run, and freed after it. */
  public static <L> LayerRow<L> passing(int count, Loader<L> loader) {
    return new LayerRow<>(count, List.of(), loader);
  }

  public int count() {
    return count;
  }

  /** As {@link #with}, without a result. */
  public void run(int index, Consumer<L> use) {
    with(
        index,
        layer -> {
          use.accept(layer);
          return index;
        });
  }

  /**
   * Runs a layer. Several threads may run the same one at once.
   *
   * @param use must not keep the layer or its weights
   * @return what {@code use} returns
   */
  public <R> R with(int index, Function<L, R> use) {
    if (!resident.isEmpty()) {
      return use.apply(resident.get(index));
    }
    try (Scope owner = Scope.detached()) {
      L layer;
      try (Scope scope = Scope.open()) {
        layer = loader.load(index, owner);
      }
      return use.apply(layer);
    }
  }
}
