package dev.gossamer.video.text;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;

/**
 * The shape of a {@link ClipTextEncoder}.
 *
 * @param vocabulary rows of the token table
 * @param width numbers per token ({@code hidden_size})
 * @param heads attention heads, which divide the width
 * @param hidden inner width of the feed-forward part ({@code intermediate_size})
 * @param layers how many
 * @param positions tokens that a text may have
 * @param endToken whose row stands for the text; {@link #LARGEST_ID} in old checkpoints
 * @param epsilon of the normalisations
 */
public record ClipTextConfig(
    int vocabulary,
    int width,
    int heads,
    int hidden,
    int layers,
    int positions,
    int endToken,
    double epsilon) {
  /**
   * What OpenAI's checkpoints say as {@code eos_token_id} by mistake; the row of the token with the
   * largest id is taken then, as it is the end token.
   */
  static final int LARGEST_ID = 2;

  public ClipTextConfig {
    if (vocabulary < 1 || width < 1 || heads < 1 || hidden < 1 || layers < 1 || positions < 1) {
      throw new IllegalArgumentException("Every size of a CLIP text encoder must be at least 1");
    }
    if (width % heads != 0 || !(epsilon > 0)) {
      throw new IllegalArgumentException(
          "A CLIP text encoder needs heads that divide its width and an epsilon above 0, not "
              + heads
              + " for "
              + width
              + " and "
              + epsilon);
    }
  }

  /**
   * Reads {@code config.json} of a text encoder; what is missing is as in transformers.
   *
   * @throws BadInputException if it is of another kind of model, or its sizes make no sense
   */
  public static ClipTextConfig read(ModelConfig config) {
    boolean byClass = config.className().startsWith("CLIPText");
    config.require(
        config.text("model_type", byClass ? "clip_text_model" : "").equals("clip_text_model"),
        "model_type",
        "This text encoder must be of type clip_text_model");
    config.require(
        config.text("hidden_act", "quick_gelu").equals("quick_gelu"),
        "hidden_act",
        "Only quick_gelu is known");
    try {
      return new ClipTextConfig(
          config.whole("vocab_size", 49_408),
          config.whole("hidden_size", 512),
          config.whole("num_attention_heads", 8),
          config.whole("intermediate_size", 2048),
          config.layers("num_hidden_layers", 12),
          config.whole("max_position_embeddings", 77),
          config.whole("eos_token_id", 49_407),
          config.real("layer_norm_eps", 1e-5));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Download the file again", e);
    }
  }
}
