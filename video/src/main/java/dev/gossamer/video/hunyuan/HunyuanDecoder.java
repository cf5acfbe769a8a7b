package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.ArrayList;
import java.util.List;

/** From a tile of latents to its pixels, all frames of the tile at once. */
final class HunyuanDecoder {
  private static final int KERNEL = 3;
  private static final int RGB = 3;

  private final EdgeConv3d fromMoments;
  private final EdgeConv3d input;
  private final List<VideoLayer> layers = new ArrayList<>();
  private final GroupNorm outputNorm;
  private final EdgeConv3d output;

  HunyuanDecoder(HunyuanAutoencoderConfig config, Parameters parameters) {
    int latents = config.latentChannels();
    int groups = config.groups();
    int widest = config.decoderChannels(0);
    fromMoments = EdgeConv3d.plain(parameters, "post_quant_conv", latents, latents, 1);
    input = EdgeConv3d.of(parameters, "decoder.conv_in", latents, widest, KERNEL);
    VideoLayer.addMiddle(layers, parameters, "decoder.mid_block.", config);
    int in = widest;
    for (int level = 0; level < config.levels(); level++) {
      String prefix = "decoder.up_blocks." + level;
      int out = config.decoderChannels(level);
      for (int block = 0; block <= config.blocks(); block++) {
        layers.add(ResidualBlock.of(parameters, prefix + ".resnets." + block, groups, in, out));
        in = out;
      }
      if (config.changesSpace(level) || config.changesTime(level)) {
        layers.add(
            new Upsample(
                config.changesTime(level) ? 2 : 1,
                config.changesSpace(level) ? 2 : 1,
                EdgeConv3d.of(parameters, prefix + ".upsamplers.0.conv", out, out, KERNEL)));
      }
    }
    outputNorm = GroupNorm.of(parameters, "decoder.conv_norm_out", groups, in);
    output = EdgeConv3d.of(parameters, "decoder.conv_out", in, RGB, KERNEL);
  }

  /**
   * @param latents {@code [B, z, f, h, w]}
   * @return {@code [B, 3, 4 (f - 1) + 1, 8 h, 8 w]}, about -1..1
   */
  Tensor decode(Tensor latents) {
    try (Scope scope = Scope.open()) {
      Tensor x = VideoLayer.through(layers, input.apply(fromMoments.apply(latents)));
      return scope.keep(output.apply(outputNorm, x));
    }
  }
}
