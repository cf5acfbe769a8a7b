package dev.gossamer.video.wan;

import dev.gossamer.attention.Attention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Residual;
import dev.gossamer.tensor.nn.RowRuns;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * One layer: self-attention over the video, attention to the text, feed-forward. The residual
 * stream is float32 in every model type.
 *
 * <p>Only the self-attention looks at more than one token, so all else runs through a run of tokens
 * from end to end while it is in the cache, and needs no memory for more than that run.
 */
final class WanBlock {
  private final Tensor table; // [1, 6, width]
  private final WanSelfAttention selfAttention;
  private final LayerNorm textNorm;
  private final WanCrossAttention crossAttention;
  private final FeedForward feedForward;
  private final double eps;

  /**
   * @param name of the block among all, for example {@code blocks.3}; empty if the parameters are
   *     of this block alone
   */
  WanBlock(Parameters parameters, String name, WanTransformerConfig config) {
    int width = config.width();
    String prefix = name.isEmpty() ? "" : name + ".";
    this.table = parameters.get(prefix + "scale_shift_table", 1, 6, width);
    this.selfAttention = WanSelfAttention.of(parameters, prefix + "attn1", config);
    this.textNorm = LayerNorm.of(parameters, prefix + "norm2", width, config.eps());
    this.crossAttention = WanCrossAttention.of(parameters, prefix + "attn2", config);
    this.feedForward =
        FeedForward.of(parameters, prefix + "ffn", width, config.inner(), Activation.GELU_TANH);
    this.eps = config.eps();
  }

  /** {@code [1, 6, width]}. */
  Tensor table() {
    return table;
  }

  WanSelfAttention selfAttention() {
    return selfAttention;
  }

  WanCrossAttention crossAttention() {
    return crossAttention;
  }

  FeedForward feedForward() {
    return feedForward;
  }

  LayerNorm textNorm() {
    return textNorm;
  }

  /**
   * @param x residual stream {@code [batch, tokens, width]} FLOAT32, changed in place
   * @param modulation {@code [1, 6, width]} FLOAT32, from {@link WanConditioning#modulate}
   * @param rotation {@code [tokens, headDim]} FLOAT32, from the rotary embedding
   */
  void apply(
      Tensor x,
      Tensor modulation,
      Tensor rotation,
      TextAttention text,
      Attention attention,
      int step,
      RowRuns runs) {
    try (Scope scope = Scope.open()) {
      Tensor vectors = table.add(modulation);
      LayerNorm attentionNorm = modulated(vectors, 0);
      LayerNorm feedForwardNorm = modulated(vectors, 3);
      Tensor attentionGate = vectors.select(1, 2);
      Tensor feedForwardGate = vectors.select(1, 5);

      HeadProjections projections = selfAttention.projections();
      DType dtype = projections.dtype();
      AttentionHeads heads = projections.room(x);
      runs.forEach(
          x.size(1),
          (start, rows) ->
              projections.project(
                  attentionNorm.apply(x.narrow(1, start, rows), dtype),
                  Optional.of(rotation.narrow(0, start, rows)),
                  heads,
                  start));

      Tensor attended = attention.attend(heads.query(), heads.key(), heads.value(), step);

      runs.forEach(
          x.size(1),
          (start, rows) -> {
            Residual run = new Residual(x.narrow(1, start, rows));
            Tensor asking =
                run.addThenNorm(
                    selfAttention.output(attended, start, rows), attentionGate, textNorm, dtype);
            Tensor fed =
                run.addThenNorm(text.apply(crossAttention, asking), feedForwardNorm, dtype);
            run.add(feedForward.apply(fed), feedForwardGate);
          });
    }
  }

  /** The normalisation whose shift stands at {@code first}, its scale behind it. */
  LayerNorm modulated(Tensor vectors, int first) {
    return LayerNorm.modulated(vectors.select(1, first), vectors.select(1, first + 1), eps);
  }
}
