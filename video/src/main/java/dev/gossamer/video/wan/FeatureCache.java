package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What the causal layers remember of the frames that they have seen, so that a video can be decoded
 * or encoded chunk by chunk with the result of doing it at once. One cache belongs to one pass over
 * one video (or one tile of it); one layer at a time changes it.
 *
 * <p>Source: {@code feat_cache} of diffusers' {@code AutoencoderKLWan}; here each layer finds its
 * frames under itself instead of by the order of calls.
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

  /** The frames [B, C, n, H, W] that a layer kept of the chunk before, if there was one. */
  Optional<Tensor> frames(Object layer) {
    return Optional.ofNullable(slots.get(layer)).map(Slot::frames);
  }

  /** Takes over the frames that a layer wants for the next chunk, and frees those it had. */
  void put(Object layer, Tensor frames) {
    Scope scope = Scope.detached();
    scope.adopt(frames);
    Slot old = slots.put(layer, new Slot(scope, frames));
    if (old != null) {
      old.scope().close();
    }
  }

  /** Frees all frames. */
  @Override
  public void close() {
    slots.values().forEach(slot -> slot.scope().close());
    slots.clear();
  }
}
