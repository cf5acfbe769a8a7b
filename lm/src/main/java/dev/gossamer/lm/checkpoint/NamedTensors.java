package dev.gossamer.lm.checkpoint;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/** Tensors under the names that they have on any number of ranks: every expert by its number. */
final class NamedTensors {
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
          named.put(prefix + nameOf(parameters.get(i).name(), first + j), stack.select(0, j));
        }
      }
    }
    return named;
  }

  /** Of one expert of a stack, {@code layers.0.moe.experts.7.w1} for number 7. */
  static String nameOf(String stack, int expert) {
    return stack.replace(".*.", "." + expert + ".");
  }

  /**
   * Loads tensors by their names.
   *
   * @param source of the files, for messages
   * @param first number of this rank's first expert
   * @throws BadInputException if one is missing or of another shape
   */
  static void load(
      Map<String, SafetensorsFile> from,
      Path source,
      List<Parameter> parameters,
      IntFunction<Tensor> to,
      int first,
      String prefix) {
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> wanted = shared(parameters, to, prefix);
      wanted.putAll(experts(parameters, to, first, prefix));
      wanted.forEach((name, tensor) -> copy(from.get(name), source, name, tensor));
    }
  }

  private static void copy(SafetensorsFile file, Path source, String name, Tensor to) {
    if (file == null) {
      throw new BadInputException(
          source + " has no tensor '" + name + "'", "Is it a checkpoint of this model?");
    }
    try (Scope scope = Scope.open()) {
      Tensor stored = file.tensor(name);
      if (!Arrays.equals(stored.shape(), to.shape())) {
        throw new BadInputException(
            String.format(
                "'%s' in %s is %s, and the model's is %s",
                name, file.path(), Arrays.toString(stored.shape()), Arrays.toString(to.shape())),
            "Is it a checkpoint of this model?");
      }
      to.copyFrom(stored);
    }
  }
}
