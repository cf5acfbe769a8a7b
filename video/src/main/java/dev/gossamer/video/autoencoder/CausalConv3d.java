package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.RowBands.Band;
import java.util.Optional;
import java.util.function.BiConsumer;

/**
 * A convolution over three frames, of which the output's own is the last. The two frames before the
 * chunk come from the cache; space is padded with zeros.
 */
public final class CausalConv3d implements CausalLayer {
  private static final int KEPT = 2;
  private static final long[] STRIDE = {1, 1, 1};

  /** What stands in for the frames before the first chunk. */
  public enum Before {
    /** Zeros, after normalisation: Wan. */
    ZEROS,
    /** The first frame, twice: CogVideoX. */
    FIRST_FRAME
  }

  /** What happens to the input on its way into the convolution. */
  public interface Intake {
    /**
     * @param to [1, C, rows, W], to be filled
     * @param from [1, C, rows, W], rows of one frame of the layer's input
     * @param frame of the chunk, from 0
     * @param rows which these are
     */
    void fill(Tensor to, Tensor from, long frame, Band rows);
  }

  /** Takes the input as it is. */
  public static final Intake PLAIN = (to, from, frame, rows) -> to.copyFrom(from);

  private final RowBands bands;
  private final Tensor weight; // [out, in, 3, k, k]
  private final Tensor bias; // [out]
  private final Before start;
  private final long halo; // rows that a result needs above and below its own

  private CausalConv3d(
      Parameters parameters,
      String name,
      long in,
      long out,
      long kernel,
      RowBands bands,
      Before start) {
    this.start = start;
    this.bands = bands;
    this.weight =
        parameters.derive(Tensor::channelsLast, name + ".weight", out, in, 3, kernel, kernel);
    this.bias = parameters.get(name + ".bias", out);
    this.halo = kernel / 2;
  }

  /** 3x3x3: {@code name.weight} [out, in, 3, 3, 3]. */
  public static CausalConv3d spatial(
      Parameters parameters, String name, long in, long out, RowBands bands, Before start) {
    return new CausalConv3d(parameters, name, in, out, 3, bands, start);
  }

  /** 3x1x1, over time only: {@code name.weight} [out, in, 3, 1, 1]. */
  public static CausalConv3d temporal(
      Parameters parameters, String name, long in, long out, RowBands bands, Before start) {
    return new CausalConv3d(parameters, name, in, out, 1, bands, start);
  }

  /** Channels of the result. */
  long out() {
    return weight.size(0);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor out = Activations.empty(x, weight.size(0), x.size(2));
      convolve(x, cache, PLAIN, (y, band) -> band.of(out).copyFrom(y));
      return scope.keep(out);
    }
  }

  /**
   * Convolves band by band.
   *
   * @param x [B, in, t, H, W]
   * @param intake makes the convolution's input of {@code x}
   * @param outlet gets the results [1, out, t, rows, W] of each band, from several threads at once
   */
  public void convolve(
      Tensor x, FeatureCache cache, Intake intake, BiConsumer<Tensor, Band> outlet) {
    try (Scope scope = Scope.open()) {
      Optional<Tensor> before = cache.frames(this);
      boolean alone = start == Before.ZEROS && before.isEmpty() && x.size(2) == 1;
      // A frame with nothing but zeros before it meets the last of the three taps only.
      Tensor taps = alone ? weight.narrow(2, KEPT, 1).channelsLast() : weight;
      Tensor kept = Activations.empty(x, x.size(1), KEPT);
      bands.forEach(
          x,
          band -> {
            Tensor window = window(x, before, band, alone ? 0 : KEPT, intake);
            keep(band.of(kept), window.narrow(3, halo, band.count()));
            outlet.accept(window.conv3d(taps, bias, STRIDE, new long[] {0, 0, halo}), band);
          });
      cache.put(this, kept);
    }
  }

  /** The input of one band: [1, in, front + t, rows + 2 halo, W]. */
  private Tensor window(Tensor x, Optional<Tensor> before, Band band, int front, Intake intake) {
    long t = x.size(2);
    Tensor whole =
        Activations.empty(
            1, x.size(1), front + t, band.count() + 2 * halo, x.size(4), x.dtype(), x.device());
    Tensor inside = band.inside(whole, halo);
    Band rows = band.widened(halo);
    Tensor past = inside.narrow(2, 0, front);
    Tensor present = rows.of(x);
    for (long frame = 0; frame < t; frame++) {
      intake.fill(inside.select(2, front + frame), present.select(2, frame), frame, rows);
    }
    if (before.isPresent()) {
      past.copyFrom(rows.of(before.get()));
    } else if (start == Before.ZEROS) {
      past.fill(0);
    } else {
      past.copyFrom(inside.narrow(2, front, 1));
    }
    return whole;
  }

  /** Copies the last frames; zeros stand for those before the first. */
  private static void keep(Tensor kept, Tensor window) {
    long t = Math.min(KEPT, window.size(2));
    kept.narrow(2, 0, KEPT - t).fill(0);
    kept.narrow(2, KEPT - t, t).copyFrom(window.narrow(2, window.size(2) - t, t));
  }
}
