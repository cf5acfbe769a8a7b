package dev.gossamer.lm;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of one sequence so far, so that a further token costs one row and not the whole
 * sequence again. It grows with the sequence, by doubling; used by one thread at a time.
 */
public final class KeyValueCache implements AutoCloseable {
  private static final int FIRST_ROOM = 64;

  private final int most;
  private final List<Layer> layers = new ArrayList<>();
  private int length;

  /** {@code [heads, room, headDim]} each. */
  private static final class Layer {
    private Scope owner = Scope.detached();
    private Tensor keys;
    private Tensor values;
  }

  /** What attention reads: {@code [heads, tokens, headDim]} each, views of the cache. */
  record KeysAndValues(Tensor keys, Tensor values) {}

  /**
   * @param most tokens that it may come to hold
   */
  KeyValueCache(int layers, int most) {
    this.most = most;
    for (int layer = 0; layer < layers; layer++) {
      this.layers.add(new Layer());
    }
  }

  /** Tokens that it holds. */
  public int length() {
    return length;
  }

  /** Tokens that still fit. */
  public int left() {
    return most - length;
  }

  /**
   * @throws UsageException if so many more tokens do not fit
   */
  void requireRoom(int tokens) {
    if (tokens > left()) {
      throw new UsageException(
          String.format(
              "A sequence of %d tokens does not fit a cache of %d", length + tokens, most),
          "Use a shorter text, or fewer new tokens");
    }
  }

  /**
   * Adds the rows of a layer behind those that are there.
   *
   * @param keys {@code [tokens, heads, headDim]}, likewise the values
   */
  KeysAndValues append(int layer, Tensor keys, Tensor values) {
    Layer of = layers.get(layer);
    int tokens = (int) keys.size(0);
    if (of.keys == null || of.keys.size(1) < length + tokens) {
      grow(of, keys, values, length + tokens);
    }
    of.keys.narrow(1, length, tokens).copyFrom(keys.transpose(0, 1));
    of.values.narrow(1, length, tokens).copyFrom(values.transpose(0, 1));
    return new KeysAndValues(
        of.keys.narrow(1, 0, length + tokens), of.values.narrow(1, 0, length + tokens));
  }

  private void grow(Layer layer, Tensor keys, Tensor values, int wanted) {
    int room = FIRST_ROOM;
    while (room < wanted) {
      room *= 2;
    }
    room = Math.min(room, most);
    Scope owner = Scope.detached();
    try (Scope scope = Scope.open()) {
      Tensor newKeys = owner.adopt(room(keys, room));
      Tensor newValues = owner.adopt(room(values, room));
      if (layer.keys != null) {
        newKeys.narrow(1, 0, length).copyFrom(layer.keys.narrow(1, 0, length));
        newValues.narrow(1, 0, length).copyFrom(layer.values.narrow(1, 0, length));
      }
      layer.keys = newKeys;
      layer.values = newValues;
    }
    layer.owner.close();
    layer.owner = owner;
  }

  private static Tensor room(Tensor rows, int tokens) {
    DType dtype = rows.dtype();
    return Tensor.empty(dtype, rows.size(1), tokens, rows.size(2));
  }

  /** Tells that all layers have the rows of a call. */
  void advance(int tokens) {
    length += tokens;
  }

  @Override
  public void close() {
    layers.forEach(layer -> layer.owner.close());
  }
}
