package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.LayerNorm;

/**
 * What the timestep, the guidance and the prompt make of a layer's normalisations and residuals.
 *
 * @param vectors {@code [1, count, width]} FLOAT32
 */
record Modulation(Tensor vectors) {
  /**
   * @param flat {@code [1, count * width]}
   */
  static Modulation of(Tensor flat, long width) {
    return new Modulation(flat.to(DType.FLOAT32).reshape(1, flat.size(1) / width, width));
  }

  /** The vector at a place, {@code [1, width]}. */
  Tensor at(int index) {
    return vectors.select(1, index);
  }

  /** The normalisation without weights that is shifted and scaled by the vectors at two places. */
  LayerNorm norm(int shift, int scale) {
    return LayerNorm.modulated(at(shift), at(scale), HunyuanTransformerConfig.EPS);
  }
}
