package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.TimestepEmbedding;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * What steers the blocks: the timestep and the prompt ({@code condition_embedder}).
 *
 * @param time the timestep's embedding, float32 whatever the model's type
 * @param modulation from the embedding to the six vectors of a block, {@code [6 width, width]}
 * @param text from a text encoder's row to the model's width
 * @param image from an image encoder's row to the model's width, in image-to-video
 */
record WanConditioning(
    TimestepEmbedding time, Linear modulation, FeedForward text, Optional<ImageRows> image) {
  private static final int VECTORS = 6;
  private static final double IMAGE_EPS = 1e-5;

  /** Layer norm, two linear layers with GELU between, layer norm ({@code image_embedder}). */
  record ImageRows(LayerNorm first, FeedForward between, LayerNorm last) {
    /** {@code [1, rows, imageWidth]} to {@code [1, rows, width]} in the model's type. */
    Tensor apply(Tensor rows) {
      return last.apply(between.apply(first.apply(rows))).to(between.down().dtype());
    }
  }

  static WanConditioning of(Parameters parameters, WanTransformerConfig config) {
    String prefix = "condition_embedder.";
    int width = config.width();
    return new WanConditioning(
        TimestepEmbedding.of(parameters, prefix + "time_embedder", config.frequencies(), width),
        Linear.of(parameters, prefix + "time_proj", width, (long) VECTORS * width),
        FeedForward.projection(
            parameters, prefix + "text_embedder", config.textDim(), width, Activation.GELU_TANH),
        config.seesImage()
            ? Optional.of(imageRows(parameters, prefix + "image_embedder", config))
            : Optional.empty());
  }

  private static ImageRows imageRows(
      Parameters parameters, String prefix, WanTransformerConfig config) {
    int in = config.imageWidth();
    int out = config.width();
    return new ImageRows(
        LayerNorm.of(parameters, prefix + ".norm1", in, IMAGE_EPS),
        new FeedForward(
            Linear.of(parameters, prefix + ".ff.net.0.proj", in, in),
            Activation.GELU,
            Linear.of(parameters, prefix + ".ff.net.2", in, out)),
        LayerNorm.of(parameters, prefix + ".norm2", out, IMAGE_EPS));
  }

  /** {@code [1, width]}, in the model's type. */
  Tensor embed(double timestep) {
    return time.apply(timestep).to(modulation.dtype());
  }

  /**
   * What all blocks share of their modulation: shift, scale and gate of the self-attention, then of
   * the feed-forward.
   *
   * @param embedding from {@link #embed}
   * @return {@code [1, 6, width]} FLOAT32
   */
  Tensor modulate(Tensor embedding) {
    return modulation
        .apply(embedding.silu())
        .reshape(1, VECTORS, embedding.size(-1))
        .to(DType.FLOAT32);
  }
}
