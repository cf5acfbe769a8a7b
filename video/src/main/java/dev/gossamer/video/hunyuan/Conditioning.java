package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.TimestepEmbedding;
import dev.gossamer.tensor.weights.Parameters;

/**
 * What steers all blocks: timestep, guidance and the whole prompt ({@code time_text_embed}).
 *
 * @param time the timestep's embedding
 * @param guidance the guidance's, likewise
 * @param text from the prompt's vector to the model's width
 */
record Conditioning(TimestepEmbedding time, TimestepEmbedding guidance, FeedForward text) {
  private static final double GUIDANCE_UNIT = 1000;

  static Conditioning of(Parameters parameters, HunyuanTransformerConfig config) {
    String prefix = "time_text_embed.";
    int width = config.width();
    int frequencies = HunyuanTransformerConfig.FREQUENCIES;
    return new Conditioning(
        TimestepEmbedding.of(parameters, prefix + "timestep_embedder", frequencies, width),
        TimestepEmbedding.of(parameters, prefix + "guidance_embedder", frequencies, width),
        FeedForward.projection(
            parameters, prefix + "text_embedder", config.pooledDim(), width, Activation.SILU));
  }

  /**
   * @param weight of the prompt, as a person gives it, for example 6
   * @param pooled {@code [1, pooledDim]}
   * @return {@code [1, width]}, in the model's type
   */
  Tensor embed(double timestep, double weight, Tensor pooled) {
    return time.apply(timestep)
        .add(guidance.apply(scaled(weight, text.up().dtype())))
        .add(text.apply(pooled));
  }

  /** The guidance times 1000 as the reference has it: rounded to the model's type, so 6 is 6016. */
  static double scaled(double weight, DType dtype) {
    return Tensor.full(weight, DType.FLOAT32, 1).to(dtype).mul(GUIDANCE_UNIT).item();
  }
}
