package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Cross-attention as the reference does it, head by head.
 *
 * @param key {@code [1, heads, keys, headDim]}
 * @param value {@code [1, heads, keys, headDim]}
 * @param bias {@code [1, keys]}, added to the logits
 */
record ManyKeys(Tensor key, Tensor value, Tensor bias) implements TextAttention {
  static ManyKeys of(WanCrossAttention layer, Tensor key, Tensor value, Tensor bias) {
    // libtorch attends fast in float32 on a processor, in the model's type on a card.
    DType dtype = key.device().isCpu() ? DType.FLOAT32 : layer.toQuery().dtype();
    return new ManyKeys(
        layer.split(key).to(dtype).contiguous(),
        layer.split(value).to(dtype).contiguous(),
        bias.unsqueeze(0).to(dtype));
  }

  @Override
  public Tensor apply(WanCrossAttention layer, Tensor rows) {
    return output(layer, attend(query(layer, rows)));
  }

  /** {@code [batch, rows, width]} to {@code [batch, heads, rows, headDim]}. */
  Tensor query(WanCrossAttention layer, Tensor rows) {
    return layer.split(layer.queryNorm().apply(layer.toQuery().apply(rows), key.dtype()));
  }

  /** {@code [batch, heads, rows, headDim]}. */
  Tensor attend(Tensor query) {
    return query.scaledDotProductAttention(key, value, bias, 1 / Math.sqrt(key.size(-1)));
  }

  /** {@code [batch, heads, rows, headDim]} to {@code [batch, rows, width]}. */
  static Tensor output(WanCrossAttention layer, Tensor attended) {
    return layer.toOut().apply(attended.transpose(1, 2).flatten(2, 3));
  }

  @Override
  public void keepIn(Scope scope) {
    scope.adopt(key);
    scope.adopt(value);
    scope.adopt(bias);
  }
}
