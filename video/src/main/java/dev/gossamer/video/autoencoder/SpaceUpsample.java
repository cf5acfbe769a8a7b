package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.RowBands.Band;
import java.util.List;

/**
 * Doubles height and width: nearest neighbour, then a 3x3 convolution.
 *
 * <p>Of the nine pixels that a tap sees after repetition only four differ. Each of the four output
 * pixels (even and odd row, even and odd column) is therefore a 2x2 convolution of the small
 * picture, with the sums of the taps that fall on the same pixel. One convolution with four times
 * the channels computes all of them at 4/9 of the multiplications, and the enlarged input is never
 * made.
 */
public final class SpaceUpsample implements CausalLayer {
  private static final long[] STRIDE = {1, 1};
  private static final long[] PADDING = {0, 1}; // the rows around a band are there;

  private final RowBands bands;
  private final long out;
  private final Tensor weight; // [4 out, in, 2, 2], phases (even, even), (even, odd), ..
  private final Tensor bias; // [4 out]

  /**
   * @param name prefix of the weights, without the closing dot
   */
  public SpaceUpsample(Parameters parameters, String name, long in, long out, RowBands bands) {
    this.bands = bands;
    this.out = out;
    this.weight = parameters.derive(SpaceUpsample::phases, name + ".weight", out, in, 3, 3);
    this.bias = parameters.derive(b -> b.repeat(4), name + ".bias", out);
  }

  /** [out, in, 3, 3] to [4 out, in, 2, 2]. */
  private static Tensor phases(Tensor weight) {
    Tensor exact = weight.to(DType.FLOAT32);
    List<Tensor> rows = List.of(even(exact, 2), odd(exact, 2));
    return Tensor.cat(
            0, rows.stream().flatMap(row -> List.of(even(row, 3), odd(row, 3)).stream()).toList())
        .channelsLast();
  }

  /** An even pixel sees its left neighbour once and its own original twice. */
  private static Tensor even(Tensor taps, long dim) {
    return Tensor.cat(
        dim, taps.narrow(dim, 0, 1), taps.narrow(dim, 1, 1).add(taps.narrow(dim, 2, 1)));
  }

  /** An odd pixel sees its own original twice and its right neighbour once. */
  private static Tensor odd(Tensor taps, long dim) {
    return Tensor.cat(
        dim, taps.narrow(dim, 0, 1).add(taps.narrow(dim, 1, 1)), taps.narrow(dim, 2, 1));
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor large =
          Activations.empty(
              x.size(0), out, x.size(2), 2 * x.size(3), 2 * x.size(4), x.dtype(), x.device());
      bands.forEach(
          x,
          band -> {
            Band twice =
                new Band(band.video(), 2 * band.first(), 2 * band.count(), 2 * band.height());
            enlarge(twice.of(large), x, band);
          });
      return scope.keep(large);
    }
  }

  private void enlarge(Tensor large, Tensor x, Band band) {
    long rows = band.count();
    long columns = x.size(4);
    Tensor padded =
        Activations.empty(1, x.size(1), x.size(2), rows + 2, columns, x.dtype(), x.device());
    band.inside(padded, 1).copyFrom(band.widened(1).of(x));
    // [t, rows + 1, columns + 1, 4 out]: one row and column more than any phase needs
    Tensor phases =
        Activations.pictures(padded).conv2d(weight, bias, STRIDE, PADDING).permute(0, 2, 3, 1);
    Tensor pixels = Activations.pictures(large).permute(0, 2, 3, 1);
    for (int row = 0; row < 2; row++) {
      for (int column = 0; column < 2; column++) {
        pixels
            .every(1, row, 2)
            .every(2, column, 2)
            .copyFrom(
                phases
                    .narrow(1, row, rows)
                    .narrow(2, column, columns)
                    .narrow(3, (2L * row + column) * out, out));
      }
    }
  }
}
