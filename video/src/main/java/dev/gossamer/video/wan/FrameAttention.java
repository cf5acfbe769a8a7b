package dev.gossamer.video.wan;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.FeatureCache;

/**
 * x + proj(attention(norm(x))) among the pixels of each frame, with one head as wide as the
 * channels: {@code WanAttentionBlock}.
 */
final class FrameAttention implements CausalLayer {
  private final long channels;
  private final ChannelNorm norm;
  private final Tensor qkvWeight;
  private final Tensor qkvBias;
  private final Tensor projWeight;
  private final Tensor projBias;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  FrameAttention(Parameters parameters, String name, long channels) {
    this.channels = channels;
    this.norm = ChannelNorm.ofPictures(parameters, name + ".norm", channels);
    // The 1x1 convolutions are linear maps of each pixel's channels.
    this.qkvWeight =
        parameters.derive(
            w -> w.reshape(3 * channels, channels),
            name + ".to_qkv.weight",
            3 * channels,
            channels,
            1,
            1);
    this.qkvBias = parameters.get(name + ".to_qkv.bias", 3 * channels);
    this.projWeight =
        parameters.derive(
            w -> w.reshape(channels, channels), name + ".proj.weight", channels, channels, 1, 1);
    this.projBias = parameters.get(name + ".proj.bias", channels);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      long pixels = x.size(3) * x.size(4);
      Tensor tokens = x.permute(0, 2, 3, 4, 1).reshape(-1, 1, pixels, channels); // [B t, 1, HW, C]
      Tensor qkv = norm.apply(tokens).to(x.dtype()).linear(qkvWeight, qkvBias);
      Tensor attended =
          DenseAttention.attend(
              qkv.narrow(3, 0, channels),
              qkv.narrow(3, channels, channels),
              qkv.narrow(3, 2 * channels, channels));
      Tensor y = attended.linear(projWeight, projBias).addInPlace(tokens);
      return scope.keep(
          y.reshape(x.size(0), x.size(2), x.size(3), x.size(4), channels).permute(0, 4, 1, 2, 3));
    }
  }
}
