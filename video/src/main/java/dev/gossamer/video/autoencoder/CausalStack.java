package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;
import java.util.List;

/** Layers one behind the other; each input is freed as soon as the next activation exists. */
public final class CausalStack {
  private final List<CausalLayer> layers;

  public CausalStack(List<CausalLayer> layers) {
    this.layers = List.copyOf(layers);
  }

  /** Sends one chunk through all layers; frees {@code x}. */
  public Tensor chunk(Tensor x, FeatureCache cache) {
    Tensor current = x;
    for (CausalLayer layer : layers) {
      Tensor next = layer.apply(current, cache);
      if (next != current) {
        current.close();
      }
      current = next;
    }
    cache.nextChunk();
    return current;
  }
}
