package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.video.autoencoder.Tiling;
import java.util.Arrays;
import java.util.List;

/**
 * What {@code config.json} says of an {@code AutoencoderKLCogVideoX}; missing keys take the values
 * of diffusers, which are those of the released models.
 *
 * @param channels of each level, finest first ({@code block_out_channels})
 * @param latentChannels channels of a latent
 * @param blocks residual blocks per level of the encoder; the decoder has one more
 * @param groups of channels that are normalised together
 * @param eps of the normalisations
 * @param temporalRatio frames per latent frame
 * @param scaling what latents are multiplied by for the transformer
 * @param sampleHeight pixels of the pictures that it was made for
 * @param sampleWidth pixels of the pictures that it was made for
 */
public record CogVideoXAutoencoderConfig(
    List<Integer> channels,
    int latentChannels,
    int blocks,
    int groups,
    double eps,
    int temporalRatio,
    double scaling,
    int sampleHeight,
    int sampleWidth) {
  private static final int WIDEST = 1 << 14;
  private static final String ONLY = "Only the autoencoder of CogVideoX is supported";
  private static final double OVERLAP_HEIGHT = 1.0 / 6;
  private static final double OVERLAP_WIDTH = 1.0 / 5;

  public CogVideoXAutoencoderConfig {
    channels = List.copyOf(channels);
    if (channels.isEmpty()
        || channels.stream().anyMatch(c -> c < 1 || c % groups != 0)
        || Math.min(latentChannels, Math.min(blocks, groups)) < 1
        || Integer.bitCount(temporalRatio) != 1
        || temporalRatio >= 1 << channels.size()
        || !(eps > 0 && scaling > 0)
        || Math.min(sampleHeight, sampleWidth) < 1 << channels.size()) {
      throw new IllegalArgumentException("No CogVideoX autoencoder has these sizes");
    }
  }

  /**
   * @throws BadInputException if it is of another autoencoder or contradicts itself
   */
  public static CogVideoXAutoencoderConfig of(ModelConfig config) {
    config.require(config.className().equals("AutoencoderKLCogVideoX"), "_class_name", ONLY);
    config.require(config.whole("in_channels", 3) == 3, "in_channels", ONLY);
    config.require(config.whole("out_channels", 3) == 3, "out_channels", ONLY);
    config.require(config.text("act_fn", "silu").equals("silu"), "act_fn", ONLY);
    for (String key : List.of("use_quant_conv", "use_post_quant_conv")) {
      config.require(!config.flag(key, false), key, ONLY);
    }
    config.require(!config.has("shift_factor"), "shift_factor", ONLY);
    int groups = config.whole("norm_num_groups", 32);
    config.require(groups >= 1, "norm_num_groups", "A number from 1 on is expected");
    try {
      return new CogVideoXAutoencoderConfig(
          Arrays.stream(config.wholes("block_out_channels", 128, 256, 256, 512)).boxed().toList(),
          config.size("latent_channels", 16, WIDEST),
          config.layers("layers_per_block", 3),
          groups,
          config.real("norm_eps", 1e-6),
          config.whole("temporal_compression_ratio", 4),
          config.real("scaling_factor", 1.15258426),
          config.whole("sample_height", 480),
          config.whole("sample_width", 720));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(),
          "Correct the file or download it again",
          e);
    }
  }

  /** Levels of resolution. */
  public int levels() {
    return channels.size();
  }

  /** Pixels per latent along height and width. */
  public int spatialRatio() {
    return 1 << levels() - 1;
  }

  /** Whether the step behind a level, in coding order of either direction, changes time too. */
  boolean changesTime(int level) {
    return level < Integer.numberOfTrailingZeros(temporalRatio);
  }

  /** Channels of the decoder's level, 0 the coarsest. */
  int decoderChannels(int level) {
    return channels.get(levels() - 1 - level);
  }

  /** The reference's tiles: half the sample's size, overlapping by a sixth and a fifth. */
  public Tiling tiling() {
    return tiling(sampleHeight / 2, sampleWidth / 2);
  }

  /** Tiles of about this many pixels, in whole latents, with the reference's overlaps. */
  Tiling tiling(int height, int width) {
    int ratio = spatialRatio();
    int high = height / ratio;
    int wide = width / ratio;
    return new Tiling(
        high * ratio,
        wide * ratio,
        (int) (high * (1 - OVERLAP_HEIGHT)) * ratio,
        (int) (wide * (1 - OVERLAP_WIDTH)) * ratio,
        Tiling.Order.BY_TILE);
  }
}
