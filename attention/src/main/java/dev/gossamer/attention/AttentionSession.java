package dev.gossamer.attention;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.Map;

/**
 * All self-attentions of one video, with whatever they keep from step to step. Closing it frees
 * that state. Different branches may be used by different threads at the same time, in the same
 * step.
 */
public interface AttentionSession extends AutoCloseable {
  /** The attention of one layer in one guidance branch; the same object at every call. */
  Attention attention(int layer, int branch);

  /** What was done so far by this session. */
  AttentionReport report();

  /**
   * What later steps need of the steps before, by name, so that an interrupted video can go on
   * elsewhere; views or copies in the current scope. Called between two steps only. Empty for a
   * method that carries nothing from step to step.
   */
  default Map<String, Tensor> state() {
    return Map.of();
  }

  /**
   * Takes over what {@link #state} of another session of the same plan and method gave; the tensors
   * are copied. The steps that follow then do bit for bit what they would have done there.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if it is not a state of this method
   */
  default void restore(Map<String, Tensor> state) {
    if (!state.isEmpty()) {
      throw new BadInputException(
          "Cannot restore an attention that keeps no state from '"
              + state.keySet().iterator().next()
              + "'",
          "The saved run used another attention method");
    }
  }

  @Override
  void close();
}
