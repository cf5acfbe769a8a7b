package dev.gossamer.lm.train;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/**
 * AdamW: {@code m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w = (1 - rate decay) w - rate m' /
 * (sqrt(v') + eps)} with m' and v' corrected for their start at 0. Weights without a gradient move
 * too, as those of an expert that no token visited: their means fade like all others.
 */
final class AdamW implements AutoCloseable {
  /**
   * Numbers that are moved at once, so that they stay in the cache; also what threads share. A card
   * moves a whole tensor.
   */
  private static final long SLICE = 1 << 17;

  private final OptimizerSettings settings;
  private final List<Parameter> parameters;
  private final List<Tensor> means = new ArrayList<>();
  private final List<Tensor> squares = new ArrayList<>();
  private final List<Slice> slices = new ArrayList<>();
  private final Scope owner = Scope.detached();

  private record Slice(int parameter, long from, long count) {}

  AdamW(OptimizerSettings settings, List<Parameter> parameters) {
    this.settings = settings;
    this.parameters = List.copyOf(parameters);
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < parameters.size(); i++) {
        Tensor value = parameters.get(i).value();
        means.add(owner.adopt(Tensor.empty(value.dtype(), value.device(), value.shape()).fill(0)));
        squares.add(
            owner.adopt(Tensor.empty(value.dtype(), value.device(), value.shape()).fill(0)));
        long size = value.device().isCpu() ? SLICE : Math.max(1, value.count());
        for (long from = 0; from < value.count(); from += size) {
          slices.add(new Slice(i, from, Math.min(size, value.count() - from)));
        }
      }
    }
  }

  /** Mean gradients, in the parameters' order. */
  List<Tensor> means() {
    return means;
  }

  /** Mean squares of gradients, in the parameters' order. */
  List<Tensor> squares() {
    return squares;
  }

  /**
   * Norms and biases are not pulled to zero. Experts are stacked, so that a bias has two dimensions
   * there.
   */
  static boolean decays(Parameter parameter) {
    boolean stacked =
        parameter.name().contains(".experts.*.") || parameter.name().contains(".shared.");
    return parameter.value().dims() - (stacked ? 1 : 0) >= 2;
  }

  /**
   * Moves every weight by its gradient.
   *
   * @param step how many the run has made, this one included
   * @param scale factor on the gradients, below 1 if they are clipped
   */
  void move(double rate, long step, double scale, Threads threads) {
    double ofMean = rate / (1 - Math.pow(settings.beta1(), step));
    double ofSquare = 1 / (1 - Math.pow(settings.beta2(), step));
    threads.forEach(
        slices.size(),
        item -> {
          Slice slice = slices.get(item);
          Parameter parameter = parameters.get(slice.parameter());
          Tensor value = part(parameter.value(), slice);
          Tensor gradient = part(parameter.gradient(), slice).mul(scale);
          Tensor mean = part(means.get(slice.parameter()), slice);
          Tensor square = part(squares.get(slice.parameter()), slice);
          mean.mulInPlace(settings.beta1()).addInPlace(gradient.mul(1 - settings.beta1()));
          square
              .mulInPlace(settings.beta2())
              .addMulInPlace(gradient, gradient.mul(1 - settings.beta2()));
          Tensor root = square.mul(ofSquare).sqrt().addInPlace(settings.epsilon());
          if (settings.weightDecay() > 0 && decays(parameter)) {
            value.mulInPlace(1 - rate * settings.weightDecay());
          }
          value.addInPlace(mean.div(root).mulInPlace(-ofMean));
        });
  }

  private static Tensor part(Tensor whole, Slice slice) {
    return whole.reshape(whole.count()).narrow(0, slice.from(), slice.count());
  }

  @Override
  public void close() {
    owner.close();
  }
}
