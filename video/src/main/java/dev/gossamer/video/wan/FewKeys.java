package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Cross-attention to a short prompt, regrouped so that whatever does not depend on the video is
 * multiplied out once per prompt; exact but for rounding.
 *
 * <p>The query is W a / rms(W a) times the weight of its normalisation. That weight goes into the
 * keys, and 1 / rms, one number per token, is applied to the few logits instead of the wide query.
 * The keys of all heads stand in one matrix that is zero outside of each head's part, so that all
 * logits are one product. The output projection is linear, so it goes into the values, and with it
 * leaves the pass. Worth while as long as heads * keys stays well below the width.
 *
 * @param keys {@code [heads * keys, width]}, weighted and scaled by sqrt(width / headDim)
 * @param values {@code [heads * keys, width]}, projected
 * @param bias {@code [keys, 1]} FLOAT32, added to the logits
 */
record FewKeys(Tensor keys, Tensor values, Tensor bias) implements TextAttention {
  static FewKeys of(WanCrossAttention layer, Tensor key, Tensor value, Tensor bias) {
    long heads = layer.heads();
    Tensor weighted = key.mul(layer.queryNorm().weight().to(DType.FLOAT32)).mul(Math.sqrt(heads));
    Tensor keys = perHead(weighted, heads);
    Tensor projection = layer.toOut().weight().to(DType.FLOAT32);
    // The probabilities of each head sum to one, so the bias is spread over the heads' values.
    Tensor values =
        perHead(value.to(DType.FLOAT32), heads)
            .matmul(projection.transpose(0, 1))
            .add(layer.toOut().bias().orElseThrow().to(DType.FLOAT32).div(heads));
    DType dtype = layer.toQuery().dtype();
    return new FewKeys(keys.to(dtype), values.to(dtype), bias.unsqueeze(1));
  }

  /** {@code [1, keys, width]} to {@code [heads * keys, width]}, zero outside of a head's part. */
  private static Tensor perHead(Tensor rows, long heads) {
    long keys = rows.size(1);
    long width = rows.size(2);
    Tensor apart = Tensor.zeros(DType.FLOAT32, heads, keys, heads, width / heads);
    for (long head = 0; head < heads; head++) {
      apart
          .select(0, head)
          .select(1, head)
          .copyFrom(rows.reshape(keys, heads, width / heads).select(1, head));
    }
    return apart.reshape(heads * keys, width);
  }

  @Override
  public Tensor apply(WanCrossAttention layer, Tensor rows) {
    Tensor query = layer.toQuery().apply(rows.flatten(0, 1));
    Tensor logits = keys.linear(query, null); // [heads * keys, rows]
    Tensor weights =
        logits
            .to(DType.FLOAT32)
            .reshape(layer.heads(), bias.size(0), query.size(0))
            .mulInPlace(inverseNorm(layer, query))
            .addInPlace(bias)
            .softmax(1)
            .reshape(logits.shape())
            .to(values.dtype());
    return weights.transpose(0, 1).matmul(values).reshape(rows.shape());
  }

  /** 1 / (sqrt(width) rms) of each row: {@code [rows, width]} to {@code [rows]} FLOAT32. */
  private static Tensor inverseNorm(WanCrossAttention layer, Tensor query) {
    double eps = layer.queryNorm().eps() * query.size(1);
    return query.to(DType.FLOAT32).norm(1, false).square().add(eps).rsqrt();
  }

  @Override
  public void keepIn(Scope scope) {
    scope.adopt(keys);
    scope.adopt(values);
    scope.adopt(bias);
  }
}
