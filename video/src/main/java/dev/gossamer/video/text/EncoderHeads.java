package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * The heads of a text encoder's attention: rows to heads and back.
 *
 * @param count of heads
 * @param width numbers per head
 */
record EncoderHeads(int count, int width) {
  /** Added to the score of a key that is not seen; exp of it is 0, and a row of it no NaN. */
  static final double UNSEEN = -1e30;

  /** The type of the scores: libtorch's attention is slow in low precision on a processor. */
  static DType scoreType(DType weights, Device device) {
    return device.isCpu() ? DType.FLOAT32 : weights;
  }

  /** {@code [batch, tokens, count * width]} to {@code [batch, count, tokens, width]}. */
  Tensor split(Tensor rows, DType type) {
    return rows.to(type).reshape(rows.size(0), rows.size(1), count, width).transpose(1, 2);
  }

  /** {@code [batch, count, tokens, width]} to {@code [batch, tokens, count * width]}. */
  Tensor join(Tensor heads, DType type) {
    return heads
        .to(type)
        .transpose(1, 2)
        .reshape(heads.size(0), heads.size(2), (long) count * width);
  }

  /**
   * What hides from each token those behind it.
   *
   * @return {@code [tokens, tokens]} FLOAT32 on the processor, 0 or {@link #UNSEEN}; added to the
   *     scores
   */
  static Tensor causal(int tokens) {
    float[] bias = new float[Math.multiplyExact(tokens, tokens)];
    for (int query = 0; query < tokens; query++) {
      for (int key = query + 1; key < tokens; key++) {
        bias[query * tokens + key] = (float) UNSEEN;
      }
    }
    return Tensor.of(bias, tokens, tokens);
  }
}
