package dev.gossamer.lm;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Normalises over the last dimension, in float32 or float64 whatever the rows' type, with its way
 * back.
 *
 * @param weight {@code [width]}
 * @param bias {@code [width]} of layer normalisation
 */
record Norm(NormKind kind, double eps, Parameter weight, Optional<Parameter> bias) {
  static Norm of(NormKind kind, double eps, String name, long width, FreshWeights fresh) {
    return new Norm(
        kind,
        eps,
        fresh.constant(name, 1, width),
        kind == NormKind.LAYER
            ? Optional.of(fresh.constant(name + "_bias", 0, width))
            : Optional.empty());
  }

  List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(weight));
    bias.ifPresent(all::add);
    return all;
  }

  /**
   * @param x {@code [rows, width]}
   * @return the same shape and type
   */
  Tensor forward(Tensor x) {
    Tensor y = unit(exact(x)).mul(weight.value());
    return bias.map(shift -> y.add(shift.value())).orElse(y).to(x.dtype());
  }

  /** Adds the gradients of weight and bias and returns that of x. */
  Tensor backward(Tensor x, Tensor ofOutput, int microBatch) {
    Tensor rows = exact(x);
    Tensor dy = exact(ofOutput);
    Tensor unit = unit(rows);
    weight.add(dy.mul(unit).sum(false, 0), microBatch);
    bias.ifPresent(shift -> shift.add(dy.sum(false, 0), microBatch));
    Tensor ofUnit = dy.mul(weight.value());
    Tensor along = unit.mul(ofUnit.mul(unit).mean(true, 1));
    Tensor across =
        kind == NormKind.LAYER ? ofUnit.sub(ofUnit.mean(true, 1)).sub(along) : ofUnit.sub(along);
    return across.mul(scale(centred(rows))).to(x.dtype());
  }

  private Tensor exact(Tensor x) {
    DType wanted = weight.value().dtype();
    return x.dtype() == wanted ? x : x.to(wanted);
  }

  private Tensor unit(Tensor rows) {
    Tensor centred = centred(rows);
    return centred.mul(scale(centred));
  }

  private Tensor centred(Tensor rows) {
    return kind == NormKind.LAYER ? rows.sub(rows.mean(true, 1)) : rows;
  }

  private Tensor scale(Tensor centred) {
    return centred.square().mean(true, 1).add(eps).rsqrt();
  }
}
