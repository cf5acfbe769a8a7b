package dev.gossamer.lm.checkpoint;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/** Tensors under the names that they have on any number of ranks: every expert by its number. */
public final class NamedTensors {
  private NamedTensors() {}

  /**
   * Those of parameters that all ranks hold.
   *
   * @param tensors by the parameters' order: their values, or something of the same shape
   * @param prefix of the names
   */
  static Map<String, Tensor> shared(
      List<Parameter> parameters, IntFunction<Tensor> tensors, String prefix) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (int i = 0; i < parameters.size(); i++) {
      if (!parameters.get(i).ofExperts()) {
        named.put(prefix + parameters.get(i).name(), tensors.apply(i));
      }
    }
    return named;
  }

  /**
   * Those of this rank's experts: views of the stacks, in the current scope.
   *
   * @param first number of this rank's first expert
   */
  static Map<String, Tensor> experts(
      List<Parameter> parameters, IntFunction<Tensor> tensors, int first, String prefix) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (int i = 0; i < parameters.size(); i++) {
      if (parameters.get(i).ofExperts()) {
        Tensor stack = tensors.apply(i);
        for (int j = 0; j < stack.size(0); j++) {
          named.put(
              prefix + nameOf(parameters.get(i).name(), first + j), stack.select(0, j));
        }
      }
    }
    return named;
  }

  /** Of one expert of a stack, {@code layers.0.moe.experts.7.w1} for number 7. */
  public static String nameOf(String stack, int expert) {
    return stack.replace(".*.", "." + expert + ".");
  }
}
