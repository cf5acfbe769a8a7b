package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.TimestepEmbedding;
import dev.gossamer.tensor.weights.Parameters;
import java.util.ArrayList;
import java.util.List;

/**
 * Brings a prompt's rows to the transformer's width and lets them look at each other, differently
 * at each timestep ({@code context_embedder}). Without padding there is nothing to mask.
 */
final class TokenRefiner {
  private final TimestepEmbedding time;
  private final FeedForward text;
  private final Linear input;
  private final List<Block> blocks = new ArrayList<>();
  private final int heads;

  private record Block(
      LayerNorm attentionNorm,
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      LayerNorm feedForwardNorm,
      FeedForward feedForward,
      Linear gates) {}

  TokenRefiner(Parameters parameters, HunyuanTransformerConfig config) {
    String prefix = "context_embedder.";
    int width = config.width();
    this.heads = config.heads();
    this.time =
        TimestepEmbedding.of(
            parameters,
            prefix + "time_text_embed.timestep_embedder",
            HunyuanTransformerConfig.FREQUENCIES,
            width);
    this.text =
        FeedForward.projection(
            parameters,
            prefix + "time_text_embed.text_embedder",
            config.textDim(),
            width,
            Activation.SILU);
    this.input = Linear.of(parameters, prefix + "proj_in", config.textDim(), width);
    for (int i = 0; i < config.refinerLayers(); i++) {
      blocks.add(block(parameters, prefix + "token_refiner.refiner_blocks." + i + ".", config));
    }
  }

  private static Block block(
      Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    int width = config.width();
    String attention = prefix + "attn.";
    return new Block(
        LayerNorm.of(parameters, prefix + "norm1", width, HunyuanTransformerConfig.EPS),
        Linear.of(parameters, attention + "to_q", width, width),
        Linear.of(parameters, attention + "to_k", width, width),
        Linear.of(parameters, attention + "to_v", width, width),
        Linear.of(parameters, attention + "to_out.0", width, width),
        LayerNorm.of(parameters, prefix + "norm2", width, HunyuanTransformerConfig.EPS),
        FeedForward.of(parameters, prefix + "ff", width, config.inner(), Activation.SILU),
        Linear.of(parameters, prefix + "norm_out.linear", width, 2L * width));
  }

  /**
   * @param rows text encoder's output {@code [1, rows, textDim]}, without padding
   * @return {@code [1, rows, width]}, in the model's type
   */
  Tensor refine(Tensor rows, double timestep) {
    try (Scope scope = Scope.open()) {
      Tensor whole = text.apply(rows.mean(false, 1));
      Tensor signal = time.apply(timestep).add(whole).silu();
      Tensor x = input.apply(rows);
      for (Block block : blocks) {
        x = apply(block, x, block.gates().apply(signal).reshape(1, 2, x.size(2)));
      }
      return scope.keep(x);
    }
  }

  private Tensor apply(Block block, Tensor x, Tensor gates) {
    Tensor a = block.attentionNorm().apply(x);
    Tensor attended =
        DenseAttention.attend(
            AttentionHeads.split(block.query().apply(a), heads).transpose(1, 2),
            AttentionHeads.split(block.key().apply(a), heads).transpose(1, 2),
            AttentionHeads.split(block.value().apply(a), heads).transpose(1, 2));
    Tensor mixed = block.output().apply(AttentionHeads.join(attended, 0, x.size(1)));
    Tensor y = x.add(mixed.mul(gates.narrow(1, 0, 1)));
    Tensor f = block.feedForward().apply(block.feedForwardNorm().apply(y));
    return y.add(f.mul(gates.narrow(1, 1, 1)));
  }
}
