package dev.gossamer.video;

import dev.gossamer.tensor.Tensor;

/** Which axis of a family's latents comes first, in memory and in files. */
public enum LatentLayout {
  /** {@code [1, channels, frames, height, width]}. */
  CHANNELS_FIRST,
  /** {@code [1, frames, channels, height, width]}. */
  FRAMES_FIRST;

  /** Where channels are counted, 1 or 2. */
  public int channelAxis() {
    return this == CHANNELS_FIRST ? 1 : 2;
  }

  /**
   * Latents of this layout with channels first, or such latents in this layout; a view in the
   * current scope.
   */
  public Tensor exchange(Tensor latents) {
    return this == CHANNELS_FIRST ? latents : latents.transpose(1, 2);
  }
}
