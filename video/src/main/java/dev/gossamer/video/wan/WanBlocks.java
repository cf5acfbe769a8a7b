package dev.gossamer.video.wan;

import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.ActivatedConv;
import dev.gossamer.video.autoencoder.CausalConv3d;
import dev.gossamer.video.autoencoder.CausalLayer;
import dev.gossamer.video.autoencoder.Convolution;
import dev.gossamer.video.autoencoder.ResidualBlock;
import dev.gossamer.video.autoencoder.RowBands;
import java.util.List;

/** The layers that Wan's encoder and decoder are built of, by the names of their weights. */
final class WanBlocks {
  private WanBlocks() {}

  static CausalConv3d conv(Parameters parameters, String name, long in, long out, RowBands bands) {
    return CausalConv3d.spatial(parameters, name, in, out, bands, CausalConv3d.Before.ZEROS);
  }

  static ActivatedConv activated(
      Parameters parameters, String norm, String conv, long in, long out, RowBands bands) {
    return new ActivatedConv(
        ChannelNorm.ofFrames(parameters, norm, in), conv(parameters, conv, in, out, bands));
  }

  /** {@code WanResidualBlock}. */
  static ResidualBlock residual(
      Parameters parameters, String name, long in, long out, RowBands bands) {
    return new ResidualBlock(
        activated(parameters, name + ".norm1", name + ".conv1", in, out, bands),
        activated(parameters, name + ".norm2", name + ".conv2", out, out, bands),
        in == out
            ? x -> x
            : Convolution.pointwise(parameters, name + ".conv_shortcut", in, out)::apply);
  }

  /** The middle of encoder and decoder: residual block, attention, residual block. */
  static void addMiddle(
      List<CausalLayer> layers, Parameters parameters, String name, long channels, RowBands bands) {
    layers.add(residual(parameters, name + ".resnets.0", channels, channels, bands));
    layers.add(new FrameAttention(parameters, name + ".attentions.0", channels));
    layers.add(residual(parameters, name + ".resnets.1", channels, channels, bands));
  }
}
