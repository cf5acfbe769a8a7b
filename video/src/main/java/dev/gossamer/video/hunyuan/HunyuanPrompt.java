package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;

/**
 * A prompt as the transformer takes it.
 *
 * @param rows of Llama, {@code [1, tokens, textDim]}; padding may follow the text
 * @param tokens rows of the text itself; nothing looks at those behind them
 * @param pooled of CLIP, {@code [1, pooledDim]}
 */
public record HunyuanPrompt(Tensor rows, int tokens, Tensor pooled) {
  public HunyuanPrompt {
    if (rows.dims() != 3 || rows.size(0) != 1 || tokens < 1 || tokens > rows.size(1)) {
      throw new IllegalArgumentException(tokens + " tokens of a prompt " + rows);
    }
  }

  /** Llama's rows without the padding. */
  Tensor text() {
    return rows.narrow(1, 0, tokens);
  }
}
