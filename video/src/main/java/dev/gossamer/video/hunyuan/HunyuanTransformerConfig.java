package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.nn.RotaryEmbedding;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Arrays;
import java.util.List;

/**
 * The shape of a HunyuanVideo text-to-video transformer.
 *
 * @param channels latent channels, in and out
 * @param heads attention heads
 * @param headDim width of a head; the model's width is heads * headDim
 * @param dualLayers blocks in which video and text have weights of their own
 * @param singleLayers blocks behind them, in which they share weights
 * @param refinerLayers blocks that the text passes before
 * @param inner width inside the feed-forward layers
 * @param patch latent rows and columns of a token
 * @param patchFrames latent frames of a token
 * @param textDim width of a text encoder's row
 * @param pooledDim width of the vector of the whole prompt
 * @param theta of the rotary positions
 * @param axes the head vector's parts for time, height and width
 */
public record HunyuanTransformerConfig(
    int channels,
    int heads,
    int headDim,
    int dualLayers,
    int singleLayers,
    int refinerLayers,
    int inner,
    int patch,
    int patchFrames,
    int textDim,
    int pooledDim,
    double theta,
    List<Integer> axes) {
  /** Of every normalisation. */
  static final double EPS = 1e-6;

  /** Width of the timestep's sinusoid. */
  static final int FREQUENCIES = 256;

  /** Tokens that an axis may have; its positions are computed, so this only keeps numbers sane. */
  static final int LONGEST_AXIS = 1024;

  private static final String TEXT_TO_VIDEO =
      "This build runs HunyuanVideo text-to-video checkpoints only";
  private static final int WIDEST = 1 << 16;

  public HunyuanTransformerConfig {
    axes = List.copyOf(axes);
    if (Math.min(channels, Math.min(heads, Math.min(textDim, pooledDim))) < 1
        || Math.min(patch, Math.min(patchFrames, inner)) < 1
        || Math.min(dualLayers, Math.min(singleLayers, refinerLayers)) < 0
        || dualLayers + singleLayers < 1
        || axes.size() != 3
        || axes.stream().anyMatch(part -> part < 2 || part % 2 != 0)
        || axes.stream().mapToInt(Integer::intValue).sum() != headDim
        || !(theta > 1)) {
      throw new IllegalArgumentException("No HunyuanVideo transformer has these sizes");
    }
  }

  /**
   * Reads a transformer's {@code config.json}; missing keys take the values of diffusers, which are
   * those of the released model.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if it is another model (image-to-video,
   *     without embedded guidance) or holds sizes that none has
   */
  public static HunyuanTransformerConfig of(ModelConfig config) {
    config.require(
        config.className().equals("HunyuanVideoTransformer3DModel"), "_class_name", TEXT_TO_VIDEO);
    config.require(
        !config.has("image_condition_type"),
        "image_condition_type",
        "That is image-to-video. " + TEXT_TO_VIDEO);
    config.require(
        config.flag("guidance_embeds", true),
        "guidance_embeds",
        "Only models with embedded guidance are known");
    config.require(config.text("qk_norm", "rms_norm").equals("rms_norm"), "qk_norm", TEXT_TO_VIDEO);
    int channels = config.size("in_channels", 16, WIDEST);
    config.require(
        channels == config.size("out_channels", 16, WIDEST),
        "in_channels",
        "That is not out_channels. " + TEXT_TO_VIDEO);
    int heads = config.size("num_attention_heads", 24, WIDEST);
    int headDim = config.size("attention_head_dim", 128, WIDEST);
    int[] axes = config.wholes("rope_axes_dim", 16, 56, 56);
    config.require(
        axes.length == 3
            && Arrays.stream(axes).allMatch(part -> part >= 2 && part % 2 == 0)
            && Arrays.stream(axes).sum() == headDim,
        "rope_axes_dim",
        "Three even sizes that add up to attention_head_dim are expected");
    double ratio = config.real("mlp_ratio", 4);
    config.require(ratio > 0 && ratio <= 64, "mlp_ratio", "A ratio up to 64 is expected");
    double theta = config.real("rope_theta", 256);
    config.require(theta > 1, "rope_theta", "A number above 1 is expected");
    return new HunyuanTransformerConfig(
        channels,
        heads,
        headDim,
        config.layers("num_layers", 20),
        config.layers("num_single_layers", 40),
        config.layers("num_refiner_layers", 2),
        (int) (heads * headDim * ratio),
        config.size("patch_size", 2, WIDEST),
        config.size("patch_size_t", 1, WIDEST),
        config.size("text_embed_dim", 4096, WIDEST),
        config.size("pooled_projection_dim", 768, WIDEST),
        theta,
        Arrays.stream(axes).boxed().toList());
  }

  /** Width of the residual stream. */
  public int width() {
    return heads * headDim;
  }

  /** Self-attentions. */
  public int layers() {
    return dualLayers + singleLayers;
  }

  RotaryEmbedding rotaryEmbedding() {
    return new RotaryEmbedding(theta, axes);
  }
}
