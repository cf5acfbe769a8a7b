package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What the causal layers remember of the frames that they have seen, so that a video can be decoded
 * or encoded chunk by chunk with the result of doing it at once. One cache belongs to one pass over
 * one video (or one tile of it); it is not safe for use by several threads.
 *
 * <p>Source: {@code feat_cache} of diffusers' {@code AutoencoderKLWan}; here each layer finds its
 * frames under its own name instead of by order of calls.
 */
final class FeatureCache implements AutoCloseable {
  private record Slot(Scope scope, Tensor frames) {}

  private final Map<Object, Slot> slots = new IdentityHashMap<>();
  private boolean first = true;

  /** Whether this is the first chunk: one frame, before which there is nothing. */
  boolean first() {
    return first;
  }

  /** Says that a chunk went through all layers. */
  void nextChunk() {
    first = false;
  }

  /** The frames [B, C, n, H, W] that a layer asked to keep, if it did so already. */
  Optional<Tensor> frames(Object layer) {
    return Optional.ofNullable(slots.get(layer)).map(Slot::frames);
  }

  /**
   * Keeps a copy of the last frames of a layer's input; the memory is the same for the whole video.
   *
   * @param input [B, C, t, H, W]
   * @param count frames to keep; where the input has fewer, zeros stand in front of it
   */
  void keep(Object layer, Tensor input, int count) {
    Slot slot = slots.computeIfAbsent(layer, any -> slot(input, count));
    long t = Math.min(count, input.size(2));
    try (Scope scope = Scope.open()) {
      slot.frames().narrow(2, 0, count - t).fill(0);
      slot.frames().narrow(2, count - t, t).copyFrom(input.narrow(2, input.size(2) - t, t));
    }
  }

  private static Slot slot(Tensor like, int count) {
    Scope owner = Scope.detached();
    try (Scope scope = Scope.open()) {
      return new Slot(owner, owner.adopt(Activations.empty(like, like.size(1), count)));
    }
  }

  /** Frees all frames. */
  @Override
  public void close() {
    slots.values().forEach(slot -> slot.scope().close());
    slots.clear();
  }
}
