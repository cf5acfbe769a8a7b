package dev.gossamer.lm;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;

/**
 * What attention keeps of one sequence so far, keys and values or what they are made of, so that a
 * further token costs one row and not the whole sequence again. It grows with the sequence, by
 * doubling; used by one thread at a time.
 */
public final class KeyValueCache implements AutoCloseable {
  private static final int FIRST_ROOM = 64;

  private final int most;
  private final List<Layer> layers = new ArrayList<>();
  private int length;

  /** {@code [heads, room, width]} each; none before the first rows. */
  private static final class Layer {
    private Scope owner = Scope.detached();
    private List<Tensor> kept = List.of();
  }

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
   * @param rows what the layer's attention keeps of each token, {@code [tokens, heads, width]}
   *     each: keys and values, or what it makes them of
   * @return the same of all tokens so far, {@code [heads, tokens, width]}, views of the cache
   */
  List<Tensor> append(int layer, Tensor... rows) {
    Layer of = layers.get(layer);
    int all = length + (int) rows[0].size(0);
    if (of.kept.isEmpty() || of.kept.get(0).size(1) < all) {
      grow(of, rows, all);
    }
    List<Tensor> seen = new ArrayList<>();
    for (int i = 0; i < rows.length; i++) {
      Tensor kept = of.kept.get(i);
      kept.narrow(1, length, all - length).copyFrom(rows[i].transpose(0, 1));
      seen.add(kept.narrow(1, 0, all));
    }
    return seen;
  }

  private void grow(Layer layer, Tensor[] rows, int wanted) {
    int room = FIRST_ROOM;
    while (room < wanted) {
      room *= 2;
    }
    room = Math.min(room, most);
    Scope owner = Scope.detached();
    List<Tensor> larger = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < rows.length; i++) {
        Tensor more = owner.adopt(room(rows[i], room));
        if (!layer.kept.isEmpty()) {
          more.narrow(1, 0, length).copyFrom(layer.kept.get(i).narrow(1, 0, length));
        }
        larger.add(more);
      }
    }
    layer.owner.close();
    layer.owner = owner;
    layer.kept = larger;
  }

  private static Tensor room(Tensor rows, int tokens) {
    DType dtype = rows.dtype();
    return Tensor.empty(dtype, rows.device(), rows.size(1), tokens, rows.size(2));
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
