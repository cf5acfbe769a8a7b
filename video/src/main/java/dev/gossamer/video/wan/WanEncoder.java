package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.CausalStack;
import dev.gossamer.video.autoencoder.Convolution;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.RowBands;
import dev.gossamer.video.autoencoder.SpaceDownsample;
import java.util.ArrayList;
import java.util.List;

/** Frames to latents: {@code WanEncoder3d} and the {@code quant_conv} behind it. */
final class WanEncoder {
  private final Convolution quant;
  private final CausalStack layers;

  WanEncoder(WanAutoencoderConfig config, Parameters parameters, RowBands bands) {
    int moments = 2 * config.latentChannels();
    List<CausalLayer> list = new ArrayList<>();
    int channels = config.encoderWidth();
    list.add(WanBlocks.conv(parameters, "encoder.conv_in", 3, channels, bands));
    int index = 0; // the blocks of all levels are numbered in one row
    for (int level = 0; level < config.levels(); level++) {
      int out = config.encoderChannels(level);
      for (int block = 0; block < config.blocks(); block++) {
        String name = "encoder.down_blocks." + index++;
        list.add(WanBlocks.residual(parameters, name, channels, out, bands));
        channels = out;
      }
      if (level < config.levels() - 1) {
        String name = "encoder.down_blocks." + index++;
        list.add(new SpaceDownsample(parameters, name + ".resample.1", channels, bands));
        if (config.temporalDownsample().get(level)) {
          list.add(new TimeDownsample(parameters, name, channels, bands));
        }
      }
    }
    WanBlocks.addMiddle(list, parameters, "encoder.mid_block", channels, bands);
    list.add(
        WanBlocks.activated(
            parameters, "encoder.norm_out", "encoder.conv_out", channels, moments, bands));
    this.layers = new CausalStack(list);
    this.quant = Convolution.pointwise(parameters, "quant_conv", moments, moments);
  }

  /**
   * Encodes the frames of the next latent frame.
   *
   * @param frames [B, 3, t, H, W] in the weights' type; t is 1 for the first, then 4
   * @param cache of the frames before
   * @return moments [B, 2 z, 1, h, w]: mean, then logarithm of the variance
   */
  Tensor encode(Tensor frames, FeatureCache cache) {
    return quant.apply(layers.chunk(frames.channelsLast(), cache));
  }
}
