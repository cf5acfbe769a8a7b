package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.RowBands.Band;
import java.util.Optional;

/**
 * The decoder's end: norm, silu and a causal 3x3x3 convolution to three colours, in float32
 * whatever the type of the activations, so that no colour is rounded to a type coarser than a
 * screen.
 *
 * <p>A convolution to three channels wastes most of a vector register. Here each frame is convolved
 * once, with the three taps in time as nine output channels, and the sums over time follow; the
 * cache then holds 9 instead of C channels.
 */
public final class RgbConv implements CausalLayer {
  private static final int COLOURS = 3;
  private static final int TAPS = 3;
  private static final int KEPT = TAPS - 1;
  private static final long[] STRIDE = {1, 1};
  private static final long[] PADDING = {0, 1}; // the rows around a band are there;

  private final RowBands bands;
  private final ActivatedNorm norm;
  private final CausalConv3d.Before start;
  private final Tensor weight; // [3 taps x 3 colours, C, 3, 3]
  private final Tensor bias; // [3, 1, 1, 1]

  /**
   * @param conv prefix of the weights, without the closing dot
   */
  public RgbConv(
      Parameters parameters,
      ActivatedNorm norm,
      String conv,
      long channels,
      RowBands bands,
      CausalConv3d.Before start) {
    this.start = start;
    this.bands = bands;
    this.norm = norm;
    this.weight =
        parameters.derive(
            w -> w.permute(2, 0, 1, 3, 4).reshape(TAPS * COLOURS, channels, 3, 3).channelsLast(),
            conv + ".weight",
            COLOURS,
            channels,
            TAPS,
            3,
            3);
    this.bias = parameters.derive(b -> b.reshape(-1, 1, 1, 1), conv + ".bias", COLOURS);
  }

  /** Colours [B, 3, t, H, W], float32, each frame in planes. */
  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Optional<Tensor> before = cache.frames(this);
      Tensor colours = planes(x, COLOURS, x.size(2));
      Tensor kept = planes(x, TAPS * COLOURS, KEPT);
      CausalConv3d.Intake intake = norm.over(x, cache);
      bands.forEach(
          x,
          band -> {
            Tensor window = window(x, before, band, intake);
            band.of(kept).copyFrom(window.narrow(2, x.size(2), KEPT));
            Tensor sum = band.of(colours).copyFrom(bias);
            for (int tap = 0; tap < TAPS; tap++) {
              sum.addInPlace(window.narrow(1, tap * COLOURS, COLOURS).narrow(2, tap, x.size(2)));
            }
          });
      cache.put(this, kept);
      return scope.keep(colours);
    }
  }

  private static Tensor planes(Tensor like, long channels, long frames) {
    return Tensor.empty(
        DType.FLOAT32, like.device(), like.size(0), channels, frames, like.size(3), like.size(4));
  }

  /** All taps' contributions of the frames before and of a band's own: [1, 9, 2 + t, rows, W]. */
  private Tensor window(Tensor x, Optional<Tensor> before, Band band, CausalConv3d.Intake intake) {
    long t = x.size(2);
    Tensor window = planes(band.of(x), TAPS * COLOURS, KEPT + t);
    Tensor active =
        Activations.empty(1, x.size(1), t, band.count() + 2, x.size(4), DType.FLOAT32, x.device());
    Tensor inside = band.inside(active, 1);
    Band wider = band.widened(1);
    Tensor rows = wider.of(x);
    for (long frame = 0; frame < t; frame++) {
      intake.fill(inside.select(2, frame), rows.select(2, frame), frame, wider);
    }
    Tensor taps = Activations.pictures(active).conv2d(weight, null, STRIDE, PADDING);
    window.narrow(2, KEPT, t).copyFrom(Activations.frames(taps));
    Tensor past = window.narrow(2, 0, KEPT);
    if (before.isPresent()) {
      past.copyFrom(band.of(before.get()));
    } else if (start == CausalConv3d.Before.ZEROS) {
      past.fill(0);
    } else {
      past.copyFrom(window.narrow(2, KEPT, 1));
    }
    return window;
  }
}
