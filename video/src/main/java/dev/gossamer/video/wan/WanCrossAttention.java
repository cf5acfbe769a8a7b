package dev.gossamer.video.wan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.weights.Parameters;

/**
 * A block's attention from video to text ({@code attn2}). Keys and values depend on the prompt
 * only, so {@link #prepare} makes them once and every step uses the result.
 */
record WanCrossAttention(
    int heads,
    Linear toQuery,
    Linear toKey,
    Linear toValue,
    RmsNorm queryNorm,
    RmsNorm keyNorm,
    Linear toOut) {
  static WanCrossAttention of(Parameters parameters, String prefix, WanTransformerConfig config) {
    int width = config.width();
    return new WanCrossAttention(
        config.heads(),
        Linear.of(parameters, prefix + ".to_q", width, width),
        Linear.of(parameters, prefix + ".to_k", width, width),
        Linear.of(parameters, prefix + ".to_v", width, width),
        RmsNorm.of(parameters, prefix + ".norm_q", width, config.eps()),
        RmsNorm.of(parameters, prefix + ".norm_k", width, config.eps()),
        Linear.of(parameters, prefix + ".to_out.0", width, width));
  }

  /**
   * Prepares the attention to one prompt.
   *
   * @param text {@code [1, keys, width]} in the model's type
   * @param bias {@code [keys]} FLOAT32, added to the logits of every query
   */
  TextAttention prepare(Tensor text, Tensor bias) {
    Tensor key = keyNorm.apply(toKey.apply(text));
    Tensor value = toValue.apply(text);
    long keys = text.size(1);
    boolean few = 2 * keys * (heads - 1) < text.size(2);
    return few && text.device().isCpu()
        ? FewKeys.of(this, key, value, bias)
        : ManyKeys.of(this, key, value, bias);
  }

  /** {@code [1, keys, width]} to {@code [1, heads, keys, headDim]}. */
  Tensor split(Tensor rows) {
    return rows.reshape(rows.size(0), rows.size(1), heads, rows.size(2) / heads).transpose(1, 2);
  }
}
