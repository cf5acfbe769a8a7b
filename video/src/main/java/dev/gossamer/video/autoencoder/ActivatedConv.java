package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.function.Function;

/**
 * conv(silu(norm(x))), the unit of which the residual blocks are made.
 *
 * @param norm and the silu
 * @param conv the causal convolution
 */
public record ActivatedConv(ActivatedNorm norm, CausalConv3d conv) implements CausalLayer {
  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor y = Activations.empty(x, conv.out(), x.size(2));
      conv.convolve(x, cache, norm.over(x, cache), (part, band) -> band.of(y).copyFrom(part));
      return scope.keep(y);
    }
  }

  /**
   * As {@link #apply}, plus a summand.
   *
   * @param summand gives for a band what is to be added, [1, out, t, rows, W]
   */
  Tensor applyAndAdd(Tensor x, FeatureCache cache, Function<RowBands.Band, Tensor> summand) {
    try (Scope scope = Scope.open()) {
      Tensor y = Activations.empty(x, conv.out(), x.size(2));
      conv.convolve(
          x,
          cache,
          norm.over(x, cache),
          (part, band) -> band.of(y).copyFrom(part.addInPlace(summand.apply(band))));
      return scope.keep(y);
    }
  }
}
