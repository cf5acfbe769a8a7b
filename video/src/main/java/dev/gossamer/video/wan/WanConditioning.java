package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.TimestepEmbedding;
import dev.gossamer.tensor.weights.Parameters;

/**
 * What steers the blocks: the timestep and the prompt ({@code condition_embedder}).
 *
 * @param time the timestep's embedding, float32 whatever the model's type
 * @param modulation from the embedding to the six vectors of a block, {@code [6 width, width]}
 * @param text from a text encoder's row to the model's width
 */
record WanConditioning(TimestepEmbedding time, Linear modulation, FeedForward text) {
  private static final int VECTORS = 6;

  static WanConditioning of(Parameters parameters, WanTransformerConfig config) {
    String prefix = "condition_embedder.";
    int width = config.width();
    return new WanConditioning(
        TimestepEmbedding.of(parameters, prefix + "time_embedder", config.frequencies(), width),
        Linear.of(parameters, prefix + "time_proj", width, (long) VECTORS * width),
        FeedForward.projection(
            parameters, prefix + "text_embedder", config.textDim(), width, Activation.GELU_TANH));
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
