package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.function.Function;

/** conv(silu(norm(x))), the unit of which the residual blocks are made. */
final class ActivatedConv implements CausalLayer {
  private final long out;
  private final ChannelNorm norm;
  private final CausalConv3d conv;

  ActivatedConv(
      Parameters parameters, String norm, String conv, long in, long out, RowBands bands) {
    this.out = out;
    this.norm = ChannelNorm.ofFrames(parameters, norm, in);
    this.conv = CausalConv3d.spatial(parameters, conv, in, out, bands);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor y = Activations.empty(x, out, x.size(2));
      conv.convolve(x, cache, norm::siluInto, (part, band) -> band.of(y).copyFrom(part));
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
      Tensor y = Activations.empty(x, out, x.size(2));
      conv.convolve(
          x,
          cache,
          norm::siluInto,
          (part, band) -> band.of(y).copyFrom(part.addInPlace(summand.apply(band))));
      return scope.keep(y);
    }
  }
}
