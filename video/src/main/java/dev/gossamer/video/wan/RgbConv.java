package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.Parameters;

/**
 * The decoder's end: norm, silu and a causal 3x3x3 convolution to three colours, in float32
 * whatever the type of the activations, so that no colour is rounded to a type coarser than a
 * screen.
 *
 * <p>A convolution to three channels wastes most of a vector register. Here each frame is convolved
 * once, with the three taps in time as nine output channels, and the sums over time follow; the
 * cache then holds 9 instead of C channels.
 */
final class RgbConv implements CausalLayer {
  private static final int COLOURS = 3;
  private static final int TAPS = 3;
  private static final long[] STRIDE = {1, 1};
  private static final long[] PADDING = {1, 1};

  private final ChannelNorm norm;
  private final Tensor weight; // [3 taps x 3 colours, C, 3, 3]
  private final Tensor bias; // [3, 1, 1, 1]

  RgbConv(Parameters parameters, String norm, String conv, long channels, Threads threads) {
    this.norm = ChannelNorm.ofFrames(parameters, norm, channels, threads);
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

  /** Colours [B, 3, t, H, W], float32, frame by frame in planes. */
  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      long frames = x.size(2);
      Tensor active = Activations.empty(x, DType.FLOAT32, x.size(1), frames, x.size(3), x.size(4));
      norm.siluInto(active, x);
      Tensor taps =
          Activations.frames(
              Activations.pictures(active).conv2d(weight, null, STRIDE, PADDING), x.size(0));
      active.close();
      Tensor window =
          cache
              .frames(this)
              .map(before -> Tensor.cat(2, before, taps))
              .orElseGet(() -> taps.pad(0, 0, 0, 0, 0, TAPS - 1, 0))
              .contiguous();
      cache.keep(this, window, TAPS - 1);
      Tensor colours = tap(window, 0, frames).add(bias);
      colours.addInPlace(tap(window, 1, frames)).addInPlace(tap(window, 2, frames));
      return scope.keep(colours);
    }
  }

  private static Tensor tap(Tensor window, int tap, long frames) {
    return window.narrow(1, (long) tap * COLOURS, COLOURS).narrow(2, tap, frames);
  }
}
