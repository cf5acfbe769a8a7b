package dev.gossamer.video.autoencoder;

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
 * <p>Source: {@code feat_cache} of diffusers' {@code AutoencoderKLWan}, {@code conv_cache} of its
 * {@code AutoencoderKLCogVideoX}; here each layer finds its frames under itself instead of by the
 * order of calls.
 */
public final class FeatureCache implements AutoCloseable {
  private record Slot(Scope scope, Tensor frames) {}

  private final Map<Object, Slot> slots = new IdentityHashMap<>();
  private boolean first = true;
  private Tensor guide;

  /** Whether this is the first chunk, before which there is nothing. */
  public boolean first() {
    return first;
  }

  /**
   * Shows the next chunk's own latents to the layers that look at them.
   *
   * @param latents [B, z, t, h, w]; the caller's, until the chunk went through
   */
  public void guide(Tensor latents) {
    guide = latents;
  }

  /** What {@link #guide(Tensor)} was given for this chunk. */
  public Tensor guide() {
    return guide;
  }

  /** Says that a chunk went through all layers. */
  void nextChunk() {
    first = false;
  }

  /** The frames [B, C, n, H, W] that a layer kept of the chunk before, if there was one. */
  public Optional<Tensor> frames(Object layer) {
    return Optional.ofNullable(slots.get(layer)).map(Slot::frames);
  }

  /** Takes over the frames that a layer wants for the next chunk, and frees those it had. */
  public void put(Object layer, Tensor frames) {
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
