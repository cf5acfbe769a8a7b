package dev.gossamer.video.text;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;

/**
 * The shape of a {@link LlamaEncoder}.
 *
 * @param vocabulary rows of the token table
 * @param width numbers per token ({@code hidden_size})
 * @param heads attention heads
 * @param keyHeads heads of keys and values; each serves {@code heads / keyHeads} of the queries'
 * @param headWidth numbers per head, even
 * @param hidden inner width of the feed-forward part ({@code intermediate_size})
 * @param layers of the whole model, at least 3; the last two are not run
 * @param theta of the rotary positions
 * @param epsilon of the normalisations
 */
public record LlamaConfig(
    int vocabulary,
    int width,
    int heads,
    int keyHeads,
    int headWidth,
    int hidden,
    int layers,
    double theta,
    double epsilon) {
  public LlamaConfig {
    if (vocabulary < 1 || width < 1 || heads < 1 || keyHeads < 1 || hidden < 1 || layers < 3) {
      throw new IllegalArgumentException(
          "Every size of a Llama text encoder must be at least 1, and its layers 3");
    }
    if (heads % keyHeads != 0) {
      throw new IllegalArgumentException(
          heads + " attention heads cannot share " + keyHeads + " heads of keys");
    }
    if (headWidth < 2 || headWidth % 2 != 0 || !(theta > 1) || !(epsilon > 0)) {
      throw new IllegalArgumentException(
          "A Llama text encoder needs an even head width, theta above 1 and epsilon above 0, not "
              + headWidth
              + ", "
              + theta
              + " and "
              + epsilon);
    }
  }

  /**
   * Reads {@code config.json} of a text encoder; what is missing is as in transformers.
   *
   * @throws BadInputException if it is of another kind of model, or its sizes make no sense
   */
  public static LlamaConfig read(ModelConfig config) {
    config.require(
        config
            .text("model_type", config.className().startsWith("Llama") ? "llama" : "")
            .equals("llama"),
        "model_type",
        "This text encoder must be of type llama");
    config.require(
        config.text("hidden_act", "silu").equals("silu"), "hidden_act", "Only silu is known");
    for (String bias : new String[] {"attention_bias", "mlp_bias"}) {
      config.require(!config.flag(bias, false), bias, "Only layers without biases are known");
    }
    ModelConfig rope = config.section("rope_parameters");
    config.require(
        rope.text("rope_type", "default").equals("default"),
        "rope_parameters",
        "Only unscaled rotary positions are known");
    config.require(
        !config.has("rope_scaling"), "rope_scaling", "Only unscaled rotary positions are known");
    int width = config.whole("hidden_size", 4096);
    int heads = config.whole("num_attention_heads", 32);
    try {
      return new LlamaConfig(
          config.whole("vocab_size", 32_000),
          width,
          heads,
          config.whole("num_key_value_heads", heads),
          config.whole("head_dim", width / Math.max(1, heads)),
          config.whole("intermediate_size", 11_008),
          config.layers("num_hidden_layers", 32),
          rope.real("rope_theta", config.real("rope_theta", 10_000)),
          config.real("rms_norm_eps", 1e-6));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Download the file again", e);
    }
  }

  /** Layers that are run: all but the last two. */
  public int layersRun() {
    return layers - 2;
  }
}
