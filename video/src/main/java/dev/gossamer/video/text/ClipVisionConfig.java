package dev.gossamer.video.text;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.weights.ModelConfig;

/**
 * The shape of a {@link ClipVisionEncoder}.
 *
 * @param width numbers per patch ({@code hidden_size})
 * @param heads attention heads, which divide the width
 * @param hidden inner width of the feed-forward part ({@code intermediate_size})
 * @param layers how many
 * @param pixels of a picture's side ({@code image_size})
 * @param patch pixels of a patch's side, which divide those of the picture
 * @param activation of the feed-forward part
 * @param epsilon of the normalisations
 */
public record ClipVisionConfig(
    int width,
    int heads,
    int hidden,
    int layers,
    int pixels,
    int patch,
    Activation activation,
    double epsilon) {
  public ClipVisionConfig {
    if (width < 1 || heads < 1 || hidden < 1 || layers < 2 || patch < 1 || pixels < patch) {
      throw new IllegalArgumentException("No CLIP vision encoder has these sizes");
    }
    if (width % heads != 0 || pixels % patch != 0 || !(epsilon > 0)) {
      throw new IllegalArgumentException(
          "A CLIP vision encoder needs heads that divide its width, patches that divide its picture"
              + " and an epsilon above 0, not "
              + heads
              + " for "
              + width
              + ", "
              + patch
              + " for "
              + pixels
              + " and "
              + epsilon);
    }
  }

  /**
   * Reads {@code config.json}; what is missing is as in the ViT-H/14 of Wan 2.1.
   *
   * @throws BadInputException if it is of another kind of model, or its sizes make no sense
   */
  public static ClipVisionConfig read(ModelConfig config) {
    boolean byClass = config.className().startsWith("CLIPVision");
    config.require(
        config.text("model_type", byClass ? "clip_vision_model" : "").equals("clip_vision_model"),
        "model_type",
        "This image encoder must be of type clip_vision_model");
    String activation = config.text("hidden_act", "gelu");
    config.require(
        activation.equals("gelu") || activation.equals("quick_gelu"),
        "hidden_act",
        "Only gelu and quick_gelu are known");
    try {
      return new ClipVisionConfig(
          config.whole("hidden_size", 1280),
          config.whole("num_attention_heads", 16),
          config.whole("intermediate_size", 5120),
          config.layers("num_hidden_layers", 32),
          config.whole("image_size", 224),
          config.whole("patch_size", 14),
          activation.equals("gelu") ? Activation.GELU : Activation.QUICK_GELU,
          config.real("layer_norm_eps", 1e-5));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Download the file again", e);
    }
  }

  /** Rows that a picture becomes: one for each patch, and one for the whole. */
  public int rows() {
    return pixels / patch * (pixels / patch) + 1;
  }

  /** Bytes that encoding needs beside the weights. */
  public long workBytes() {
    return (long) Float.BYTES * rows() * (2L * heads * rows() + 2L * hidden + 8L * width);
  }
}
