package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.weights.Parameters;
import java.util.ArrayList;
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
  private final Parameters parameters;
  private final Builder<L> builder;

  /** How long a layer's weights stay in memory. */
  public enum Stay {
    /** All the time. */
    RESIDENT,
    /** Only while the layer runs. */
    PASSING
  }

  /**
   * Makes a layer of its weights.
   *
   * @param <L> a layer
   */
  public interface Builder<L> {
    /**
     * @param parameters to ask for the layer's weights, under their full names
     * @param index of the layer, from 0
     */
    L build(Parameters parameters, int index);
  }

  private LayerRow(int count, List<L> resident, Parameters parameters, Builder<L> builder) {
    this.count = count;
    this.resident = List.copyOf(resident);
    this.parameters = parameters;
    this.builder = builder;
  }

  /**
   * Asks for the weights of all layers, so that {@link Parameters#check} tells of them either way.
   *
   * @param parameters of the whole model, whose owner keeps the weights of layers that stay
   */
  public static <L> LayerRow<L> of(
      Stay stay, int count, Parameters parameters, Builder<L> builder) {
    List<L> resident = new ArrayList<>();
    try (Scope shapes = Scope.detached()) {
      Parameters source = stay == Stay.RESIDENT ? parameters : parameters.unread(shapes);
      for (int i = 0; i < count; i++) {
        L layer = builder.build(source, i);
        if (stay == Stay.RESIDENT) {
          resident.add(layer);
        }
      }
    }
    return new LayerRow<>(count, resident, parameters, builder);
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
        layer = builder.build(parameters.into(owner), index);
      }
      return use.apply(layer);
    }
  }
}
