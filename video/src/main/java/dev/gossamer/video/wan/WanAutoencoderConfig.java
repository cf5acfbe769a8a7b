package dev.gossamer.video.wan;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * What {@code config.json} says of an {@code AutoencoderKLWan} (Wan 2.1).
 *
 * @param encoderWidth channels of the encoder's first level ({@code base_dim})
 * @param decoderWidth channels of the decoder's last level ({@code decoder_base_dim}, else {@code
 *     base_dim})
 * @param latentChannels channels of a latent ({@code z_dim})
 * @param multipliers width of each level in units of the first, finest first ({@code dim_mult})
 * @param blocks residual blocks per level of the encoder; the decoder has one more ({@code
 *     num_res_blocks})
 * @param temporalDownsample for each step between two levels, whether it halves time too ({@code
 *     temperal_downsample})
 * @param mean mean of the latents per channel ({@code latents_mean})
 * @param deviation standard deviation of the latents per channel ({@code latents_std})
 */
public record WanAutoencoderConfig(
    int encoderWidth,
    int decoderWidth,
    int latentChannels,
    List<Integer> multipliers,
    int blocks,
    List<Boolean> temporalDownsample,
    List<Double> mean,
    List<Double> deviation) {
  private static final double[] RELEASED_MEAN = {
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921
  };
  private static final double[] RELEASED_DEVIATION = {
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160
  };
  private static final int WIDEST = 1 << 14;
  private static final String ONLY_WAN_21 = "Only the autoencoder of Wan 2.1 is supported";

  public WanAutoencoderConfig {
    multipliers = List.copyOf(multipliers);
    temporalDownsample = List.copyOf(temporalDownsample);
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
    if (encoderWidth < 1
        || decoderWidth < 1
        || latentChannels < 1
        || blocks < 1
        || multipliers.isEmpty()
        || multipliers.stream().anyMatch(m -> m < 1)) {
      throw new IllegalArgumentException("Widths, multipliers and blocks must be at least 1");
    }
    if (temporalDownsample.size() != multipliers.size() - 1) {
      throw new IllegalArgumentException(
          multipliers.size()
              + " levels need "
              + (multipliers.size() - 1)
              + " entries of temperal_downsample, not "
              + temporalDownsample.size());
    }
    if (mean.size() != latentChannels || deviation.size() != latentChannels) {
      throw new IllegalArgumentException(
          "latents_mean and latents_std must have one entry for each of the "
              + latentChannels
              + " latent channels");
    }
    if (deviation.stream().anyMatch(d -> !(d > 0))) {
      throw new IllegalArgumentException("latents_std must be positive");
    }
  }

  /**
   * Reads the configuration; keys that are missing have the values of the released Wan 2.1.
   *
   * @throws BadInputException if it is of another autoencoder, of Wan 2.2, or contradicts itself
   */
  public static WanAutoencoderConfig of(ModelConfig config) {
    config.require(config.className().equals("AutoencoderKLWan"), "_class_name", ONLY_WAN_21);
    config.require(!config.flag("is_residual", false), "is_residual", ONLY_WAN_21);
    config.require(!config.has("patch_size"), "patch_size", ONLY_WAN_21);
    config.require(config.reals("attn_scales").length == 0, "attn_scales", ONLY_WAN_21);
    config.require(config.whole("in_channels", 3) == 3, "in_channels", ONLY_WAN_21);
    config.require(config.whole("out_channels", 3) == 3, "out_channels", ONLY_WAN_21);
    int width = config.size("base_dim", 96, WIDEST);
    try {
      WanAutoencoderConfig read =
          new WanAutoencoderConfig(
              width,
              config.size("decoder_base_dim", width, WIDEST),
              config.size("z_dim", 16, WIDEST),
              Arrays.stream(config.wholes("dim_mult", 1, 2, 4, 4)).boxed().toList(),
              config.layers("num_res_blocks", 2),
              booleans(config.flags("temperal_downsample", false, true, true)),
              Arrays.stream(config.reals("latents_mean", RELEASED_MEAN)).boxed().toList(),
              Arrays.stream(config.reals("latents_std", RELEASED_DEVIATION)).boxed().toList());
      int spatial = config.whole("scale_factor_spatial", read.spatialRatio());
      config.require(spatial == read.spatialRatio(), "scale_factor_spatial", ONLY_WAN_21);
      int temporal = config.whole("scale_factor_temporal", read.temporalRatio());
      config.require(temporal == read.temporalRatio(), "scale_factor_temporal", ONLY_WAN_21);
      return read;
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(),
          "Correct the file or download it again",
          e);
    }
  }

  private static List<Boolean> booleans(boolean[] flags) {
    List<Boolean> list = new ArrayList<>(flags.length);
    for (boolean flag : flags) {
      list.add(flag);
    }
    return list;
  }

  /** Levels of resolution. */
  public int levels() {
    return multipliers.size();
  }

  /** Pixels per latent along height and width: 8 for Wan 2.1. */
  public int spatialRatio() {
    return 1 << levels() - 1;
  }

  /** Frames per latent frame, but for the first, which stands for one: 4 for Wan 2.1. */
  public int temporalRatio() {
    return 1 << (int) temporalDownsample.stream().filter(halves -> halves).count();
  }

  /** Channels of the encoder's level, 0 the finest. */
  int encoderChannels(int level) {
    return encoderWidth * multipliers.get(level);
  }

  /** Channels of the decoder's level, 0 the coarsest. */
  int decoderChannels(int level) {
    return decoderWidth * multipliers.get(levels() - 1 - level);
  }

  /** Whether the decoder's step behind a level, 0 the coarsest, doubles time too. */
  boolean doublesTime(int level) {
    List<Boolean> reversed = new ArrayList<>(temporalDownsample);
    Collections.reverse(reversed);
    return reversed.get(level);
  }
}
