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
  private final int dropped;

  /**
   * @param tensors by name; this object takes them over
   * @param dropped tokens at the prompt's end that the encoder had no room for
   */
  public PromptEncoding(Map<String, Tensor> tensors, int dropped) {
    this.dropped = dropped;
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

  /** All tensors by name; they belong to this object. */
  Map<String, Tensor> tensors() {
    return tensors;
  }

  /** Tokens at the prompt's end that the encoder had no room for. */
  public int dropped() {
    return dropped;
  }

  @Override
  public void close() {
    scope.close();
  }
}
