package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.RowBands.Band;

/** Halves height and width by a 3x3 convolution with stride 2, zeros to the right and below. */
public final class SpaceDownsample implements CausalLayer {
  private final RowBands bands;
  private final Convolution conv;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  public SpaceDownsample(Parameters parameters, String name, long channels, RowBands bands) {
    this.bands = bands;
    this.conv = Convolution.halvingSpace(parameters, name, channels);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor small =
          Activations.empty(
              x.size(0), x.size(1), x.size(2), x.size(3) / 2, x.size(4) / 2, x.dtype(), x.device());
      bands.forEach(
          small,
          band -> {
            Tensor y = conv.apply(Activations.pictures(padded(x, band)));
            band.of(small).copyFrom(Activations.frames(y));
          });
      return scope.keep(small);
    }
  }

  /** What a band of the result needs of the input: one row and column more, zero at the edge. */
  private static Tensor padded(Tensor x, Band band) {
    long first = 2 * band.first();
    long rows = Math.min(2 * band.count() + 1, x.size(3) - first);
    Tensor padded =
        Activations.empty(
            1, x.size(1), x.size(2), 2 * band.count() + 1, x.size(4) + 1, x.dtype(), x.device());
    padded.narrow(4, x.size(4), 1).fill(0);
    padded.narrow(3, rows, padded.size(3) - rows).fill(0);
    padded
        .narrow(3, 0, rows)
        .narrow(4, 0, x.size(4))
        .copyFrom(x.narrow(0, band.video(), 1).narrow(3, first, rows));
    return padded;
  }
}
