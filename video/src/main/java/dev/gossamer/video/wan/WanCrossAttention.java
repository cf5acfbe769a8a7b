package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

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
    Linear toOut,
    Optional<ImageKeys> image) {
  /** Keys and values of an image, in image-to-video. */
  record ImageKeys(Linear toKey, Linear toValue, RmsNorm keyNorm) {}

  static WanCrossAttention of(Parameters parameters, String prefix, WanTransformerConfig config) {
    int width = config.width();
    return new WanCrossAttention(
        config.heads(),
        Linear.of(parameters, prefix + ".to_q", width, width),
        Linear.of(parameters, prefix + ".to_k", width, width),
        Linear.of(parameters, prefix + ".to_v", width, width),
        RmsNorm.of(parameters, prefix + ".norm_q", width, config.eps()),
        RmsNorm.of(parameters, prefix + ".norm_k", width, config.eps()),
        Linear.of(parameters, prefix + ".to_out.0", width, width),
        config.seesImage()
            ? Optional.of(
                new ImageKeys(
                    Linear.of(parameters, prefix + ".add_k_proj", width, width),
                    Linear.of(parameters, prefix + ".add_v_proj", width, width),
                    RmsNorm.of(parameters, prefix + ".norm_added_k", width, config.eps())))
            : Optional.empty());
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

  /**
   * Prepares the attention to one prompt and, on its own, to a picture.
   *
   * @param picture {@code [1, rows, width]} in the model's type
   */
  TextAttention prepare(Tensor text, Tensor bias, Tensor picture) {
    ImageKeys own = image.orElseThrow();
    Tensor none = Tensor.zeros(DType.FLOAT32, picture.size(1)).to(bias.device());
    return new TextAndImage(
        ManyKeys.of(this, keyNorm.apply(toKey.apply(text)), toValue.apply(text), bias),
        ManyKeys.of(
            this,
            own.keyNorm().apply(own.toKey().apply(picture)),
            own.toValue().apply(picture),
            none));
  }

  /** {@code [1, keys, width]} to {@code [1, heads, keys, headDim]}. */
  Tensor split(Tensor rows) {
    return AttentionHeads.ofRows(rows, heads);
  }
}
