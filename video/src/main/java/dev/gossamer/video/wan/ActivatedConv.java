package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.Parameters;

/** conv(silu(norm(x))), the unit of which the residual blocks are made. */
final class ActivatedConv implements CausalLayer {
  private final ChannelNorm norm;
  private final CausalConv3d conv;

  ActivatedConv(
      Parameters parameters, String norm, String conv, long in, long out, Threads threads) {
    this.norm = ChannelNorm.ofFrames(parameters, norm, in, threads);
    this.conv = CausalConv3d.spatial(parameters, conv, in, out);
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      return scope.keep(conv.convolve(activate(x, cache), cache));
    }
  }

  /** As {@link #apply}, but frees the input as soon as it is not needed. */
  Tensor consume(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      CausalConv3d.Window window = activate(x, cache);
      x.close();
      return scope.keep(conv.convolve(window, cache));
    }
  }

  private CausalConv3d.Window activate(Tensor x, FeatureCache cache) {
    CausalConv3d.Window window = conv.window(x, cache);
    norm.siluInto(window.fresh(), x);
    return window;
  }
}
