package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.CausalConv3d;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.CausalStack;
import dev.gossamer.video.autoencoder.Convolution;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.RgbConv;
import dev.gossamer.video.autoencoder.RowBands;
import dev.gossamer.video.autoencoder.SpaceUpsample;
import java.util.ArrayList;
import java.util.List;

/** Latents to frames: {@code WanDecoder3d} and the {@code post_quant_conv} before it. */
final class WanDecoder {
  private final Convolution postQuant;
  private final CausalStack layers;

  WanDecoder(WanAutoencoderConfig config, Parameters parameters, RowBands bands) {
    int latent = config.latentChannels();
    this.postQuant = Convolution.pointwise(parameters, "post_quant_conv", latent, latent);
    List<CausalLayer> list = new ArrayList<>();
    int channels = config.decoderChannels(0);
    list.add(WanBlocks.conv(parameters, "decoder.conv_in", latent, channels, bands));
    WanBlocks.addMiddle(list, parameters, "decoder.mid_block", channels, bands);
    for (int level = 0; level < config.levels(); level++) {
      String name = "decoder.up_blocks." + level;
      int out = config.decoderChannels(level);
      for (int block = 0; block <= config.blocks(); block++) {
        list.add(WanBlocks.residual(parameters, name + ".resnets." + block, channels, out, bands));
        channels = out;
      }
      if (level < config.levels() - 1) {
        if (config.doublesTime(level)) {
          list.add(new TimeUpsample(parameters, name + ".upsamplers.0", channels, bands));
        }
        list.add(
            new SpaceUpsample(
                parameters, name + ".upsamplers.0.resample.1", channels, channels / 2, bands));
        channels /= 2;
      }
    }
    list.add(
        new RgbConv(
            parameters,
            ChannelNorm.ofFrames(parameters, "decoder.norm_out", channels),
            "decoder.conv_out",
            channels,
            bands,
            CausalConv3d.Before.ZEROS));
    this.layers = new CausalStack(list);
  }

  /**
   * Decodes the next latent frame.
   *
   * @param latent [B, z, 1, h, w] in the weights' type
   * @param cache of the frames before
   * @return [B, 3, t, H, W] float32, not clamped; t is 1 for the first latent frame, then 4
   */
  Tensor decode(Tensor latent, FeatureCache cache) {
    return layers.chunk(postQuant.apply(latent.channelsLast()), cache);
  }
}
