package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.function.UnaryOperator;

/**
 * shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x)))))): {@code WanResidualBlock}. The shortcut
 * is a 1x1x1 convolution where the number of channels changes.
 */
final class ResidualBlock implements CausalLayer {
  private final ActivatedConv first;
  private final ActivatedConv second;
  private final UnaryOperator<Tensor> shortcut;

  /**
   * @param name prefix of the weights, without the closing dot
   */
  ResidualBlock(Parameters parameters, String name, long in, long out, RowBands bands) {
    first = new ActivatedConv(parameters, name + ".norm1", name + ".conv1", in, out, bands);
    second = new ActivatedConv(parameters, name + ".norm2", name + ".conv2", out, out, bands);
    shortcut =
        in == out
            ? x -> x
            : Convolution.pointwise(parameters, name + ".conv_shortcut", in, out)::apply;
  }

  @Override
  public Tensor apply(Tensor x, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor middle = first.apply(x, cache);
      return scope.keep(second.applyAndAdd(middle, cache, band -> shortcut.apply(band.of(x))));
    }
  }
}
