package dev.gossamer.video;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A prompt as a model's text encoders understand it. What the tensors are is the model's own
 * business; they belong to this object and are freed when it closes.
 */
public final class PromptEncoding implements AutoCloseable {
  private final Scope scope = Scope.detached();
  private final Map<String, Tensor> tensors;

  /**
   * @param tensors by name; this object takes them over
   */
  public PromptEncoding(Map<String, Tensor> tensors) {
    this.tensors = Map.copyOf(new LinkedHashMap<>(tensors));
    tensors.values().forEach(scope::adopt);
  }

  /**
   * @throws IllegalArgumentException if there is none of this name
   */
  public Tensor tensor(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException(
          "A prompt encoding has no '" + name + "', only " + tensors.keySet());
    }
    return tensor;
  }

  @Override
  public void close() {
    scope.close();
  }
}
