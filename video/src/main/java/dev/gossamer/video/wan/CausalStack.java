package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.List;

/** Layers one behind the other; each input is freed as soon as the next activation exists. */
final class CausalStack {
  private final List<CausalLayer> layers;

  CausalStack(List<CausalLayer> layers) {
    this.layers = List.copyOf(layers);
  }

  /** The middle of encoder and decoder: residual block, attention, residual block. */
  static void addMiddle(
      List<CausalLayer> layers, Parameters parameters, String name, long channels, RowBands bands) {
    layers.add(new ResidualBlock(parameters, name + ".resnets.0", channels, channels, bands));
    layers.add(new FrameAttention(parameters, name + ".attentions.0", channels));
    layers.add(new ResidualBlock(parameters, name + ".resnets.1", channels, channels, bands));
  }

  /** Sends one chunk through all layers; frees {@code x}. */
  Tensor chunk(Tensor x, FeatureCache cache) {
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
