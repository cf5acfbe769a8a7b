package dev.gossamer.video.text;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.weights.Parameters;

/**
 * One layer of CLIP's encoders, of texts and of pictures: layer norm, attention, residual; layer
 * norm, feed-forward, residual. On a processor the attention runs in float32 whatever the weights
 * are.
 */
record ClipLayer(
    EncoderHeads heads,
    LayerNorm attentionNorm,
    Linear query,
    Linear key,
    Linear value,
    Linear output,
    LayerNorm feedForwardNorm,
    FeedForward feedForward) {
  /**
   * @param prefix of its weights, with the closing dot
   */
  static ClipLayer of(
      Parameters parameters,
      String prefix,
      EncoderHeads heads,
      int hidden,
      Activation activation,
      double epsilon) {
    int width = heads.count() * heads.width();
    String attention = prefix + "self_attn.";
    return new ClipLayer(
        heads,
        LayerNorm.of(parameters, prefix + "layer_norm1", width, epsilon),
        Linear.of(parameters, attention + "q_proj", width, width),
        Linear.of(parameters, attention + "k_proj", width, width),
        Linear.of(parameters, attention + "v_proj", width, width),
        Linear.of(parameters, attention + "out_proj", width, width),
        LayerNorm.of(parameters, prefix + "layer_norm2", width, epsilon),
        new FeedForward(
            Linear.of(parameters, prefix + "mlp.fc1", width, hidden),
            activation,
            Linear.of(parameters, prefix + "mlp.fc2", hidden, width)));
  }

  /**
   * @param x {@code [batch, tokens, width]}
   * @param bias added to the scores, in {@link EncoderHeads#scoreType}; null for nothing
   * @return the same shape, in the current scope
   */
  Tensor apply(Tensor x, Tensor bias) {
    try (Scope scope = Scope.open()) {
      var scores = EncoderHeads.scoreType(query.dtype(), x.device());
      Tensor a = attentionNorm.apply(x);
      Tensor queries = heads.split(query.apply(a), scores);
      Tensor keys = heads.split(key.apply(a), scores);
      Tensor values = heads.split(value.apply(a), scores);
      double scale = 1 / Math.sqrt(heads.width());
      Tensor mixed =
          heads.join(queries.scaledDotProductAttention(keys, values, bias, scale), query.dtype());
      Tensor y = x.add(output.apply(mixed));
      return scope.keep(y.add(feedForward.apply(feedForwardNorm.apply(y))));
    }
  }
}
