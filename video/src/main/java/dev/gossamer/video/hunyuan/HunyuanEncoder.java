package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.ArrayList;
import java.util.List;

/** From a tile of a video to the moments of its latents, all frames of the tile at once. */
final class HunyuanEncoder {
  private static final int KERNEL = 3;
  private static final int RGB = 3;

  private final EdgeConv3d input;
  private final List<VideoLayer> layers = new ArrayList<>();
  private final GroupNorm outputNorm;
  private final EdgeConv3d output;
  private final EdgeConv3d toMoments;

  HunyuanEncoder(HunyuanAutoencoderConfig config, Parameters parameters) {
    int moments = 2 * config.latentChannels();
    int groups = config.groups();
    int in = config.channels().get(0);
    input = EdgeConv3d.of(parameters, "encoder.conv_in", RGB, in, KERNEL);
    for (int level = 0; level < config.levels(); level++) {
      String prefix = "encoder.down_blocks." + level;
      int out = config.channels().get(level);
      for (int block = 0; block < config.blocks(); block++) {
        layers.add(ResidualBlock.of(parameters, prefix + ".resnets." + block, groups, in, out));
        in = out;
      }
      if (config.changesSpace(level) || config.changesTime(level)) {
        layers.add(
            EdgeConv3d.of(parameters, prefix + ".downsamplers.0.conv", out, out, KERNEL)
                .every(config.changesTime(level) ? 2 : 1, config.changesSpace(level) ? 2 : 1));
      }
    }
    VideoLayer.addMiddle(layers, parameters, "encoder.mid_block.", config);
    outputNorm = GroupNorm.of(parameters, "encoder.conv_norm_out", groups, in);
    output = EdgeConv3d.of(parameters, "encoder.conv_out", in, moments, KERNEL);
    toMoments = EdgeConv3d.plain(parameters, "quant_conv", moments, moments, 1);
  }

  /**
   * @param video {@code [B, 3, F, H, W]}, -1..1
   * @return {@code [B, 2 z, (F - 1) / 4 + 1, H / 8, W / 8]}
   */
  Tensor encode(Tensor video) {
    try (Scope scope = Scope.open()) {
      Tensor x = VideoLayer.through(layers, input.apply(video));
      return scope.keep(toMoments.apply(output.apply(outputNorm, x)));
    }
  }
}
