package dev.gossamer.video.wan;

import dev.gossamer.tensor.nn.RotaryEmbedding;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.List;

/**
 * The shape of a Wan 2.1 transformer, text-to-video or image-to-video.
 *
 * @param patchFrames latent frames of a token
 * @param patchHeight latent rows of a token
 * @param patchWidth latent columns of a token
 * @param heads attention heads
 * @param headDim width of a head, even; the model's width is heads * headDim
 * @param inChannels channels in: those of the latents, and in image-to-video of the condition
 * @param textDim width of a text encoder's row
 * @param frequencies width of the timestep's sinusoid
 * @param inner width inside the feed-forward layers
 * @param layers blocks
 * @param eps of every normalisation
 * @param longestAxis tokens that an axis may have
 * @param outChannels latent channels
 * @param imageWidth width of an image encoder's row; 0 for text-to-video
 */
public record WanTransformerConfig(
    int patchFrames,
    int patchHeight,
    int patchWidth,
    int heads,
    int headDim,
    int inChannels,
    int textDim,
    int frequencies,
    int inner,
    int layers,
    double eps,
    int longestAxis,
    int outChannels,
    int imageWidth) {
  private static final double THETA = 10_000;
  private static final String ONLY =
      "This build runs Wan 2.1 text-to-video and image-to-video checkpoints only";
  private static final int WIDEST = 1 << 16;

  public WanTransformerConfig {
    if (Math.min(patchFrames, Math.min(patchHeight, patchWidth)) < 1
        || Math.min(inChannels, Math.min(textDim, Math.min(inner, longestAxis))) < 1
        || Math.min(heads, layers) < 1
        || headDim < 6
        || headDim % 2 != 0
        || Math.min(outChannels, imageWidth + 1) < 1
        || frequencies < 2
        || frequencies % 2 != 0
        || !(eps > 0)) {
      throw new IllegalArgumentException("No Wan transformer has these sizes");
    }
  }

  /** Of text-to-video: as many channels out as in. */
  public WanTransformerConfig(
      int patchFrames,
      int patchHeight,
      int patchWidth,
      int heads,
      int headDim,
      int inChannels,
      int textDim,
      int frequencies,
      int inner,
      int layers,
      double eps,
      int longestAxis) {
    this(
        patchFrames,
        patchHeight,
        patchWidth,
        heads,
        headDim,
        inChannels,
        textDim,
        frequencies,
        inner,
        layers,
        eps,
        longestAxis,
        inChannels,
        0);
  }

  /**
   * Reads a transformer's {@code config.json}; missing keys take the values of diffusers, which are
   * those of the 14B model.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if it is another model (first and last
   *     frame, Wan 2.2) or holds sizes that none has
   */
  public static WanTransformerConfig of(ModelConfig config) {
    config.require(
        !config.has("pos_embed_seq_len"),
        "pos_embed_seq_len",
        "That is a model of first and last frames. " + ONLY);
    int image = config.has("image_dim") ? config.size("image_dim", 1, WIDEST) : 0;
    int in = config.size("in_channels", 16, WIDEST);
    int out = config.size("out_channels", in, WIDEST);
    config.require(
        image > 0 || in == out,
        "in_channels",
        "That is not " + out + " as out_channels, and there is no image_dim. " + ONLY);
    config.require(in != 48, "in_channels", "That is Wan 2.2. " + ONLY);
    config.require(config.className().equals("WanTransformer3DModel"), "_class_name", ONLY);
    config.require(
        config.text("qk_norm", "rms_norm_across_heads").equals("rms_norm_across_heads"),
        "qk_norm",
        ONLY);
    config.require(config.flag("cross_attn_norm", true), "cross_attn_norm", ONLY);
    int[] patch = config.wholes("patch_size", 1, 2, 2);
    config.require(
        patch.length == 3 && patch[0] >= 1 && patch[1] >= 1 && patch[2] >= 1,
        "patch_size",
        "Three sizes from 1 on are expected");
    int headDim = config.size("attention_head_dim", 128, WIDEST);
    config.require(
        headDim >= 6 && headDim % 2 == 0, "attention_head_dim", "An even size is expected");
    int frequencies = config.size("freq_dim", 256, WIDEST);
    config.require(frequencies % 2 == 0, "freq_dim", "An even size is expected");
    double eps = config.real("eps", 1e-6);
    config.require(eps > 0 && eps < 1, "eps", "A number between 0 and 1 is expected");
    int heads = config.size("num_attention_heads", 40, WIDEST);
    int width = config.whole("added_kv_proj_dim", image > 0 ? heads * headDim : 0);
    config.require(
        width == (image > 0 ? heads * headDim : 0),
        "added_kv_proj_dim",
        "The transformer's width is expected with an image_dim, nothing without");
    return new WanTransformerConfig(
        patch[0],
        patch[1],
        patch[2],
        heads,
        headDim,
        in,
        config.size("text_dim", 4096, WIDEST),
        frequencies,
        config.size("ffn_dim", 13824, WIDEST),
        config.layers("num_layers", 40),
        eps,
        config.size("rope_max_seq_len", 1024, WIDEST),
        out,
        image);
  }

  /** Width of the residual stream. */
  public int width() {
    return heads * headDim;
  }

  /** Whether it attends to an image beside the text. */
  public boolean seesImage() {
    return imageWidth > 0;
  }

  /** Numbers of one token's patch of latents, as they come out. */
  public int patchSize() {
    return outChannels * patchFrames * patchHeight * patchWidth;
  }

  /**
   * The head vector's parts for time, height and width: height and width each take a third, rounded
   * down to whole pairs, time the rest.
   */
  RotaryEmbedding rotaryEmbedding() {
    int side = 2 * (headDim / 6);
    return new RotaryEmbedding(THETA, List.of(headDim - 2 * side, side, side));
  }
}
