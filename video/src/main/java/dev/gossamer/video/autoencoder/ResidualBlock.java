package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.function.UnaryOperator;

/**
 * shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x)))))).
 *
 * @param first norm1 and conv1
 * @param second norm2 and conv2
 * @param shortcut a 1x1x1 convolution where the number of channels changes, else nothing
 */
public record ResidualBlock(
    ActivatedConv first, ActivatedConv second, UnaryOperator<Tensor> shortcut)
    implements CausalLayer {
  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor middle = first.apply(x, cache);
      return scope.keep(second.applyAndAdd(middle, cache, band -> shortcut.apply(band.of(x))));
    }
  }
}
