package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.ActivatedConv;
import dev.gossamer.video.autoencoder.ActivatedNorm;
import dev.gossamer.video.autoencoder.CausalConv3d;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.CausalStack;
import dev.gossamer.video.autoencoder.Convolution;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.GroupNorm;
import dev.gossamer.video.autoencoder.ResidualBlock;
import dev.gossamer.video.autoencoder.RgbConv;
import dev.gossamer.video.autoencoder.RowBands;
import dev.gossamer.video.autoencoder.SpaceDownsample;
import dev.gossamer.video.autoencoder.SpaceUpsample;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The layers of an encoder or a decoder: {@code CogVideoXEncoder3D} and {@code CogVideoXDecoder3D}.
 */
final class CogVideoXCoder {
  private static final CausalConv3d.Before START = CausalConv3d.Before.FIRST_FRAME;

  private final CausalStack layers;

  private CogVideoXCoder(List<CausalLayer> layers) {
    this.layers = new CausalStack(layers);
  }

  /** Makes the norms of one direction. */
  private interface Norms {
    ActivatedNorm norm(String name, long channels);
  }

  /** Builds layers by the names of their weights. */
  private record Builder(Parameters parameters, RowBands bands, Norms norms) {
    CausalConv3d conv(String name, long in, long out) {
      return CausalConv3d.spatial(parameters, name + ".conv", in, out, bands, START);
    }

    ActivatedConv activated(String norm, String conv, long in, long out) {
      return new ActivatedConv(norms.norm(norm, in), conv(conv, in, out));
    }

    ResidualBlock residual(String name, long in, long out) {
      UnaryOperator<Tensor> shortcut =
          in == out
              ? x -> x
              : Convolution.pointwise(parameters, name + ".conv_shortcut", in, out)::apply;
      return new ResidualBlock(
          activated(name + ".norm1", name + ".conv1", in, out),
          activated(name + ".norm2", name + ".conv2", out, out),
          shortcut);
    }

    void addMiddle(List<CausalLayer> list, String name, long channels) {
      for (int block = 0; block < 2; block++) {
        list.add(residual(name + ".resnets." + block, channels, channels));
      }
    }
  }

  static CogVideoXCoder decoder(
      CogVideoXAutoencoderConfig config, Parameters parameters, RowBands bands) {
    Norms norms = (name, channels) -> new SpatialNorm(parameters, name, channels, config, bands);
    Builder builder = new Builder(parameters, bands, norms);
    List<CausalLayer> list = new ArrayList<>();
    int channels = config.decoderChannels(0);
    list.add(builder.conv("decoder.conv_in", config.latentChannels(), channels));
    builder.addMiddle(list, "decoder.mid_block", channels);
    for (int level = 0; level < config.levels(); level++) {
      String name = "decoder.up_blocks." + level;
      int out = config.decoderChannels(level);
      for (int block = 0; block <= config.blocks(); block++) {
        list.add(builder.residual(name + ".resnets." + block, channels, out));
        channels = out;
      }
      if (level < config.levels() - 1) {
        String conv = name + ".upsamplers.0.conv";
        list.add(new SpaceUpsample(parameters, conv, channels, channels, bands));
        if (config.changesTime(level)) {
          list.add(new FrameDoubling());
        }
      }
    }
    list.add(
        new RgbConv(
            parameters,
            norms.norm("decoder.norm_out", channels),
            "decoder.conv_out.conv",
            channels,
            bands,
            START));
    return new CogVideoXCoder(list);
  }

  static CogVideoXCoder encoder(
      CogVideoXAutoencoderConfig config, Parameters parameters, RowBands bands) {
    Builder builder =
        new Builder(
            parameters,
            bands,
            (name, channels) ->
                new GroupNorm(parameters, name, channels, config.groups(), config.eps(), bands));
    List<CausalLayer> list = new ArrayList<>();
    int channels = config.channels().get(0);
    list.add(builder.conv("encoder.conv_in", 3, channels));
    for (int level = 0; level < config.levels(); level++) {
      String name = "encoder.down_blocks." + level;
      int out = config.channels().get(level);
      for (int block = 0; block < config.blocks(); block++) {
        list.add(builder.residual(name + ".resnets." + block, channels, out));
        channels = out;
      }
      if (level < config.levels() - 1) {
        if (config.changesTime(level)) {
          list.add(new FrameHalving());
        }
        list.add(new SpaceDownsample(parameters, name + ".downsamplers.0.conv", channels, bands));
      }
    }
    builder.addMiddle(list, "encoder.mid_block", channels);
    list.add(
        builder.activated(
            "encoder.norm_out", "encoder.conv_out", channels, 2L * config.latentChannels()));
    return new CogVideoXCoder(list);
  }

  /**
   * Sends the next chunk through.
   *
   * @param chunk latents or frames [B, C, t, H, W] in the weights' type
   * @param cache of the chunks before
   */
  Tensor apply(Tensor chunk, FeatureCache cache) {
    cache.guide(chunk);
    return layers.chunk(chunk.channelsLast(), cache);
  }
}
