package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Arrays;
import java.util.List;

/**
 * The shape of HunyuanVideo's autoencoder.
 *
 * @param latentChannels of the latents
 * @param channels of each level, from the picture to the latents
 * @param blocks residual blocks of a level of the encoder; the decoder has one more
 * @param groups of the normalisations
 * @param spatialRatio pixels per latent row and column
 * @param temporalRatio frames per latent frame
 * @param scaling the transformer's latents are these times the autoencoder's
 * @param attention whether there is one in the middle
 */
public record HunyuanAutoencoderConfig(
    int latentChannels,
    List<Integer> channels,
    int blocks,
    int groups,
    int spatialRatio,
    int temporalRatio,
    double scaling,
    boolean attention) {
  private static final int WIDEST = 1 << 14;
  private static final String ONLY = "This build runs HunyuanVideo's autoencoder only";

  public HunyuanAutoencoderConfig {
    channels = List.copyOf(channels);
    int levels = channels.size();
    int most = 1 << Math.max(0, levels - 1);
    boolean ratios =
        isPowerOfTwo(spatialRatio, most) && isPowerOfTwo(temporalRatio, most) && levels > 0;
    if (latentChannels < 1
        || blocks < 1
        || groups < 1
        || !ratios
        || !(scaling > 0)
        || channels.stream().anyMatch(width -> width < 1 || width % groups != 0)) {
      throw new IllegalArgumentException("No HunyuanVideo autoencoder has these sizes");
    }
  }

  private static boolean isPowerOfTwo(int ratio, int most) {
    return ratio >= 1 && ratio <= most && Integer.bitCount(ratio) == 1;
  }

  /**
   * Reads an autoencoder's {@code config.json}; missing keys take the values of diffusers, which
   * are those of the released model.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if it is another autoencoder or holds
   *     sizes that none has
   */
  public static HunyuanAutoencoderConfig of(ModelConfig config) {
    config.require(config.className().equals("AutoencoderKLHunyuanVideo"), "_class_name", ONLY);
    config.require(config.text("act_fn", "silu").equals("silu"), "act_fn", ONLY);
    for (String key : List.of("in_channels", "out_channels")) {
      config.require(config.whole(key, 3) == 3, key, "Red, green and blue are expected");
    }
    int[] channels = config.wholes("block_out_channels", 128, 256, 512, 512);
    int groups = config.size("norm_num_groups", 32, WIDEST);
    config.require(
        channels.length > 0
            && channels.length <= 8
            && Arrays.stream(channels)
                .allMatch(width -> width > 0 && width <= WIDEST && width % groups == 0),
        "block_out_channels",
        "Up to 8 multiples of norm_num_groups are expected");
    int most = 1 << (channels.length - 1);
    int spatial = config.size("spatial_compression_ratio", 8, WIDEST);
    config.require(
        isPowerOfTwo(spatial, most), "spatial_compression_ratio", "A power of 2 is expected");
    int temporal = config.size("temporal_compression_ratio", 4, WIDEST);
    config.require(
        isPowerOfTwo(temporal, Math.min(most, 4)),
        "temporal_compression_ratio",
        "1, 2 or 4 is expected");
    double scaling = config.real("scaling_factor", 0.476986);
    config.require(scaling > 0, "scaling_factor", "A number above 0 is expected");
    return new HunyuanAutoencoderConfig(
        config.size("latent_channels", 16, WIDEST),
        Arrays.stream(channels).boxed().toList(),
        config.layers("layers_per_block", 2),
        groups,
        spatial,
        temporal,
        scaling,
        config.flag("mid_block_add_attention", true));
  }

  int levels() {
    return channels.size();
  }

  /** Channels of a level of the decoder, from the latents on. */
  int decoderChannels(int level) {
    return channels.get(levels() - 1 - level);
  }

  /**
   * Whether a level ends by doubling rows and columns (decoder, levels counted from the latents) or
   * halving them (encoder, counted from the picture).
   */
  boolean changesSpace(int level) {
    return level < Integer.numberOfTrailingZeros(spatialRatio);
  }

  /** Whether a level ends by doubling or halving the frames but the first; counted likewise. */
  boolean changesTime(int level) {
    int last = levels() - 1;
    return level < last && level >= last - Integer.numberOfTrailingZeros(temporalRatio);
  }
}
