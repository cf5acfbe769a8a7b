package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * A convolution over three frames, of which the output's own is the last: {@code WanCausalConv3d}.
 * The two frames before the chunk come from the cache, zeros before the first chunk; space is
 * padded with zeros.
 *
 * <p>Whoever makes the input can write it where the convolution wants it, behind the cached frames,
 * and so save a copy: {@link #window}, fill {@link Window#fresh}, {@link #convolve}.
 */
final class CausalConv3d implements CausalLayer {
  private static final int KEPT = 2;
  private static final long[] STRIDE = {1, 1, 1};

  /**
   * The input of one convolution.
   *
   * @param all [B, C, kept + t, H, W]: the frames before the chunk, then the chunk
   * @param fresh [B, C, t, H, W]: the chunk's part of {@code all}, to be filled
   */
  record Window(Tensor all, Tensor fresh) {}

  private final Tensor weight;
  private final Tensor bias;
  private final long[] padding;

  private CausalConv3d(Parameters parameters, String name, long in, long out, long kernel) {
    this.weight =
        parameters.derive(Tensor::channelsLast, name + ".weight", out, in, 3, kernel, kernel);
    this.bias = parameters.get(name + ".bias", out);
    this.padding = new long[] {0, kernel / 2, kernel / 2};
  }

  /** 3x3x3: {@code name.weight} [out, in, 3, 3, 3]. */
  static CausalConv3d spatial(Parameters parameters, String name, long in, long out) {
    return new CausalConv3d(parameters, name, in, out, 3);
  }

  /** 3x1x1, over time only: {@code name.weight} [out, in, 3, 1, 1]. */
  static CausalConv3d temporal(Parameters parameters, String name, long in, long out) {
    return new CausalConv3d(parameters, name, in, out, 1);
  }

  /**
   * Room for a chunk behind the cached frames, in the current scope.
   *
   * @param like of the chunk's batch, frames, height, width and type
   */
  Window window(Tensor like, FeatureCache cache) {
    long frames = like.size(2);
    Optional<Tensor> before = cache.frames(this);
    if (before.isEmpty() && frames == 1) {
      Tensor only = Activations.empty(like, weight.size(1), 1);
      return new Window(only, only);
    }
    Tensor all = Activations.empty(like, weight.size(1), KEPT + frames);
    Tensor front = all.narrow(2, 0, KEPT);
    before.ifPresentOrElse(front::copyFrom, () -> front.fill(0));
    return new Window(all, all.narrow(2, KEPT, frames));
  }

  /** Convolves a filled window and keeps its last frames for the next chunk. */
  Tensor convolve(Window window, FeatureCache cache) {
    cache.keep(this, window.all(), KEPT);
    try (Scope scope = Scope.open()) {
      // A frame with nothing but zeros before it meets the last of the three taps only.
      Tensor taps = window.all().size(2) == 1 ? weight.narrow(2, KEPT, 1).channelsLast() : weight;
      return scope.keep(window.all().conv3d(taps, bias, STRIDE, padding));
    }
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Window window = window(x, cache);
      window.fresh().copyFrom(x);
      return scope.keep(convolve(window, cache));
    }
  }
}
