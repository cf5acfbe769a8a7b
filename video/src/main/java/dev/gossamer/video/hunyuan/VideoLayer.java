package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.List;

/** A layer of the autoencoder. */
interface VideoLayer {
  /**
   * @param x {@code [B, channels, frames, height, width]}
   * @return likewise, in the current scope
   */
  Tensor apply(Tensor x);

  /**
   * The middle of encoder and decoder: residual block, attention if there is one, residual block.
   */
  static void addMiddle(
      List<VideoLayer> layers,
      Parameters parameters,
      String prefix,
      HunyuanAutoencoderConfig config) {
    int groups = config.groups();
    int widest = config.decoderChannels(0);
    layers.add(ResidualBlock.of(parameters, prefix + "resnets.0", groups, widest, widest));
    if (config.attention()) {
      layers.add(FrameCausalAttention.of(parameters, prefix + "attentions.0", groups, widest));
    }
    layers.add(ResidualBlock.of(parameters, prefix + "resnets.1", groups, widest, widest));
  }

  /** Sends activations through layers; each is freed as soon as the next exists, {@code x} too. */
  static Tensor through(List<VideoLayer> layers, Tensor x) {
    Tensor current = x;
    for (VideoLayer layer : layers) {
      Tensor next = layer.apply(current);
      current.close();
      current = next;
    }
    return current;
  }
}
