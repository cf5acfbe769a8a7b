package dev.gossamer.lm.train;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights that an optimiser moves: the model's own, or where those are bf16 a float32 copy each
 * with a float32 sum of gradients.
 */
final class MasterWeights implements AutoCloseable {
  private final List<Parameter> model;
  private final List<Parameter> masters = new ArrayList<>();
  private final Scope owner = Scope.detached();

  MasterWeights(List<Parameter> model) {
    this.model = List.copyOf(model);
    try (Scope scope = Scope.open()) {
      for (Parameter parameter : model) {
        masters.add(
            isExact(parameter)
                ? parameter
                : Parameter.of(
                    parameter.name(),
                    parameter.value().to(DType.FLOAT32),
                    parameter.ofExperts(),
                    0,
                    owner));
      }
    }
  }

  private static boolean isExact(Parameter parameter) {
    return parameter.value().dtype() != DType.BFLOAT16;
  }

  /** Those that are moved, saved and loaded, in the model's order. */
  List<Parameter> masters() {
    return masters;
  }

  /** Takes over what a micro-batch added to the model's gradients. */
  void collect() {
    for (int i = 0; i < masters.size(); i++) {
      if (masters.get(i) != model.get(i)) {
        try (Scope scope = Scope.open()) {
          Tensor gradient = model.get(i).gradient();
          masters.get(i).gradient().addInPlace(gradient.to(DType.FLOAT32));
          gradient.fill(0);
        }
      }
    }
  }

  /** Lets the model compute with the weights as they are now. */
  void publish() {
    for (int i = 0; i < masters.size(); i++) {
      if (masters.get(i) != model.get(i)) {
        model.get(i).value().copyFrom(masters.get(i).value());
      }
    }
  }

  void clearGradients() {
    masters.forEach(Parameter::clearGradient);
  }

  @Override
  public void close() {
    owner.close();
  }
}
