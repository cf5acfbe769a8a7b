package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import java.util.List;

/**
 * One prompt as the transformer's layers see it, made by {@link WanTransformer#prepare}; serves all
 * steps of a video and all threads. Closing it frees its tensors.
 */
public final class TextContext implements AutoCloseable {
  private final List<TextAttention> layers;
  private final int keys;
  private final Scope owner = Scope.detached();

  TextContext(List<TextAttention> layers, int keys) {
    this.layers = List.copyOf(layers);
    this.keys = keys;
    layers.forEach(layer -> layer.keepIn(owner));
  }

  TextAttention layer(int index) {
    return layers.get(index);
  }

  /** Keys per head that a video token attends to, padding merged into one. */
  public int keys() {
    return keys;
  }

  @Override
  public void close() {
    owner.close();
  }
}
