package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * Two convolutions beside a shortcut.
 *
 * @param shortcut where the channels change
 */
record ResidualBlock(
    GroupNorm firstNorm,
    EdgeConv3d first,
    GroupNorm secondNorm,
    EdgeConv3d second,
    Optional<EdgeConv3d> shortcut)
    implements VideoLayer {
  private static final int KERNEL = 3;

  static ResidualBlock of(Parameters parameters, String prefix, int groups, int in, int out) {
    return new ResidualBlock(
        GroupNorm.of(parameters, prefix + ".norm1", groups, in),
        EdgeConv3d.of(parameters, prefix + ".conv1", in, out, KERNEL),
        GroupNorm.of(parameters, prefix + ".norm2", groups, out),
        EdgeConv3d.of(parameters, prefix + ".conv2", out, out, KERNEL),
        in == out
            ? Optional.empty()
            : Optional.of(EdgeConv3d.of(parameters, prefix + ".conv_shortcut", in, out, 1)));
  }

  @Override
  public Tensor apply(Tensor x) {
    try (Scope scope = Scope.open()) {
      Tensor result = second.apply(secondNorm, first.apply(firstNorm, x));
      return scope.keep(result.addInPlace(shortcut.map(conv -> conv.apply(x)).orElse(x)));
    }
  }
}
