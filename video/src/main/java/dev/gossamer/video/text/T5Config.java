package dev.gossamer.video.text;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;

/**
 * The shape of a {@link T5Encoder}.
 *
 * @param positions where the table of relative positions is
 * @param vocabulary rows of the token table
 * @param width numbers per token ({@code d_model})
 * @param heads attention heads
 * @param headWidth numbers per head ({@code d_kv}); heads * headWidth need not be the width
 * @param hidden inner width of the feed-forward part ({@code d_ff})
 * @param blocks how many
 * @param buckets classes of relative positions, half of them for each direction
 * @param maxDistance from here on, all positions of a direction share one bucket
 * @param epsilon of the normalisations
 */
public record T5Config(
    Positions positions,
    int vocabulary,
    int width,
    int heads,
    int headWidth,
    int hidden,
    int blocks,
    int buckets,
    int maxDistance,
    double epsilon) {

  /** Which blocks have a table of relative positions. */
  public enum Positions {
    /** Each its own: UMT5. */
    PER_BLOCK,
    /** Only the first, for all: T5. */
    SHARED
  }

  public T5Config {
    if (vocabulary < 1 || width < 1 || heads < 1 || headWidth < 1 || hidden < 1 || blocks < 1) {
      throw new IllegalArgumentException("Every size of a T5 encoder must be at least 1");
    }
    if (buckets < 4 || buckets % 4 != 0 || maxDistance <= buckets / 4) {
      throw new IllegalArgumentException(
          "A T5 encoder needs a multiple of 4 buckets and a largest distance above a quarter of"
              + " them, not "
              + buckets
              + " and "
              + maxDistance);
    }
    if (!(epsilon > 0)) {
      throw new IllegalArgumentException("epsilon must be above 0, not " + epsilon);
    }
  }

  /** Floating-point operations of one token's way through all blocks, scores left out. */
  public double operationsPerToken() {
    return 2.0 * blocks * width * (4.0 * heads * headWidth + 3.0 * hidden);
  }

  /** Bytes that encoding a text of so many tokens needs beside the weights. */
  public long workBytes(int tokens) {
    return (long) Float.BYTES * tokens * (4L * heads * tokens + 4L * hidden);
  }

  /**
   * Reads {@code config.json} of a text encoder; what is missing is as in UMT5-XXL or T5 v1.1 XXL.
   *
   * @throws BadInputException if it is of another kind of model, or its sizes make no sense
   */
  public static T5Config read(ModelConfig config) {
    String byClass = config.className().startsWith("UMT5") ? "umt5" : "t5";
    String type = config.text("model_type", byClass);
    boolean known = config.has("model_type") || config.className().matches("U?M?T5.*");
    config.require(
        known && (type.equals("umt5") || type.equals("t5")),
        "model_type",
        "This text encoder must be of type t5 or umt5");
    config.require(
        config.text("feed_forward_proj", "gated-gelu").equals("gated-gelu"),
        "feed_forward_proj",
        "Only gated-gelu is known: T5 v1.1 and later");
    config.require(
        config.text("dense_act_fn", "gelu_new").equals("gelu_new"),
        "dense_act_fn",
        "Only gelu_new is known");
    try {
      return new T5Config(
          type.equals("umt5") ? Positions.PER_BLOCK : Positions.SHARED,
          config.whole("vocab_size", type.equals("umt5") ? 256384 : 32128),
          config.whole("d_model", 4096),
          config.whole("num_heads", 64),
          config.whole("d_kv", 64),
          config.whole("d_ff", 10240),
          config.layers("num_layers", 24),
          config.whole("relative_attention_num_buckets", 32),
          config.whole("relative_attention_max_distance", 128),
          config.real("layer_norm_epsilon", 1e-6));
    } catch (IllegalArgumentException e) {
      throw new BadInputException(
          "Cannot use " + config.path() + ": " + e.getMessage(), "Download the file again", e);
    }
  }
}
