package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.nn.RotaryEmbedding;
import dev.gossamer.tensor.nn.SinusoidalPositions;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.video.transformer.Patches;
import java.util.Arrays;
import java.util.List;

/**
 * What {@code config.json} says of a {@code CogVideoXTransformer3DModel}; missing keys take the
 * values of diffusers, which are those of the 2B model.
 *
 * @param heads attention heads
 * @param headDim numbers per head
 * @param layers blocks
 * @param channels of the latents
 * @param textDim numbers per row of the text encoder
 * @param textRows rows of a prompt, padding included
 * @param timeDim numbers of the timestep's embedding
 * @param patch latent rows and columns of a token
 * @param token whether a token is a piece of one latent frame or of several
 * @param patchFrames latent frames of a token
 * @param positions how tokens know where they are
 * @param sampleFrames frames of the video that it was trained for
 * @param sampleHeight latent rows of the video that positions were trained for
 * @param sampleWidth latent columns of that video
 * @param spatialScale what rows and columns are divided by in sines
 * @param temporalScale what frames are divided by in sines
 * @param eps of the normalisations, but for those of queries and keys
 */
public record CogVideoXTransformerConfig(
    int heads,
    int headDim,
    int layers,
    int channels,
    int textDim,
    int textRows,
    int timeDim,
    int patch,
    Token token,
    int patchFrames,
    Positions positions,
    int sampleFrames,
    int sampleHeight,
    int sampleWidth,
    double spatialScale,
    double temporalScale,
    double eps) {
  private static final double THETA = 10_000;
  private static final int WIDEST = 1 << 16;
  private static final String TEXT_TO_VIDEO =
      "This build runs CogVideoX text-to-video checkpoints only";

  /** What a token is made of. */
  public enum Token {
    /** A square of one frame, by a convolution: CogVideoX. */
    PICTURE,
    /** A box of several frames, by a linear map: CogVideoX 1.5. */
    VOLUME
  }

  /** How tokens know where they are. */
  public enum Positions {
    /** Sines and cosines are added to the tokens: 2B. */
    SINUSOIDAL,
    /** Queries and keys are rotated: 5B and 1.5. */
    ROTARY
  }

  public CogVideoXTransformerConfig {
    if (headDim % 16 != 0
        || Math.min(heads, Math.min(layers, channels)) < 1
        || Math.min(textDim, Math.min(textRows, timeDim)) < 1
        || Math.min(patch, Math.min(patchFrames, Math.min(sampleHeight, sampleWidth))) < 1
        || patchFrames > (token == Token.PICTURE ? 1 : 2)
        || sampleFrames < 1
        || !(spatialScale > 0 && temporalScale > 0 && eps > 0)) {
      throw new IllegalArgumentException("No CogVideoX transformer has these sizes");
    }
  }

  /**
   * @throws BadInputException if it is another model or holds sizes that none has
   */
  public static CogVideoXTransformerConfig of(ModelConfig config) {
    config.require(
        config.className().equals("CogVideoXTransformer3DModel"), "_class_name", TEXT_TO_VIDEO);
    config.require(
        !config.has("ofs_embed_dim"), "ofs_embed_dim", "That is image-to-video. " + TEXT_TO_VIDEO);
    config.require(
        !config.flag("use_learned_positional_embeddings", false),
        "use_learned_positional_embeddings",
        "That is image-to-video. " + TEXT_TO_VIDEO);
    int in = config.size("in_channels", 16, WIDEST);
    config.require(
        in == config.whole("out_channels", in),
        "in_channels",
        "That is image-to-video. " + TEXT_TO_VIDEO);
    requireText(config, "activation_fn", "gelu-approximate");
    requireText(config, "timestep_activation_fn", "silu");
    for (String key : List.of("attention_bias", "norm_elementwise_affine", "flip_sin_to_cos")) {
      config.require(config.flag(key, true), key, "Only true is known");
    }
    config.require(config.whole("freq_shift", 0) == 0, "freq_shift", "Only 0 is known");
    boolean volume = config.has("patch_size_t");
    try {
      return new CogVideoXTransformerConfig(
          config.size("num_attention_heads", 30, WIDEST),
          config.size("attention_head_dim", 64, WIDEST),
          config.layers("num_layers", 30),
          in,
          config.size("text_embed_dim", 4096, WIDEST),
          config.size("max_text_seq_length", 226, WIDEST),
          config.size("time_embed_dim", 512, WIDEST),
          config.size("patch_size", 2, WIDEST),
          volume ? Token.VOLUME : Token.PICTURE,
          volume ? config.size("patch_size_t", 1, WIDEST) : 1,
          config.flag("use_rotary_positional_embeddings", false)
              ? Positions.ROTARY
              : Positions.SINUSOIDAL,
          config.size("sample_frames", 49, WIDEST),
          config.size("sample_height", 60, WIDEST),
          config.size("sample_width", 90, WIDEST),
          config.real("spatial_interpolation_scale", 1.875),
          config.real("temporal_interpolation_scale", 1),
          config.real("norm_eps", 1e-5));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Download the file again", e);
    }
  }

  private static void requireText(ModelConfig config, String key, String known) {
    config.require(config.text(key, known).equals(known), key, "Only " + known + " is known");
  }

  /** Width of the residual stream. */
  public int width() {
    return heads * headDim;
  }

  /** How latents are cut into tokens. */
  public Patches patches() {
    return new Patches(channels, patchFrames, patch, patch);
  }

  /** Inner width of the feed-forward part. */
  public int inner() {
    return 4 * width();
  }

  /** What is added to the video's tokens, {@code [tokens, width]}. */
  Tensor sines(Device device, int frames, int height, int columns) {
    return new SinusoidalPositions(width(), spatialScale, temporalScale)
        .table(device, frames, height, columns);
  }

  /** How queries and keys of the video's tokens are turned, {@code [tokens, headDim]}. */
  Tensor rotation(Device device, int frames, int height, int columns) {
    int side = headDim * 3 / 8;
    RotaryEmbedding embedding = new RotaryEmbedding(THETA, List.of(headDim - 2 * side, side, side));
    if (token == Token.VOLUME) {
      return embedding.table(device, frames, height, columns);
    }
    double[] times = new double[frames];
    Arrays.setAll(times, frame -> frame);
    int[] crop = crop(height, columns);
    return embedding.tableAt(
        device, times, spread(crop[0], crop[2], height), spread(crop[1], crop[3], columns));
  }

  /**
   * The largest rectangle of this shape in the grid that positions were trained for, in its middle:
   * top, left, height, width.
   */
  int[] crop(int height, int columns) {
    int baseHeight = sampleHeight / patch;
    int baseWidth = sampleWidth / patch;
    boolean tall = (double) height / columns > (double) baseHeight / baseWidth;
    int high = tall ? baseHeight : (int) Math.rint((double) baseWidth / columns * height);
    int wide = tall ? (int) Math.rint((double) baseHeight / height * columns) : baseWidth;
    return new int[] {
      (int) Math.rint((baseHeight - high) / 2.0),
      (int) Math.rint((baseWidth - wide) / 2.0),
      high,
      wide
    };
  }

  /** Positions of a rectangle's tokens along one axis, as the reference spreads them. */
  private static double[] spread(int first, int length, int tokens) {
    double last = (double) (first + length) * (tokens - 1) / tokens;
    double[] positions = new double[tokens];
    Arrays.setAll(
        positions, i -> tokens == 1 ? first : first + i * ((last - first) / (tokens - 1)));
    return positions;
  }
}
