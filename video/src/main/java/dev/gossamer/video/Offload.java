package dev.gossamer.video;

import dev.gossamer.video.text.T5Encoder;

/** What of a part's weights is in memory while the part works. The video is the same. */
public enum Offload {
  /** All of them. */
  NONE,
  /**
   * Of transformer and text encoder the block that runs; the others are read from their files, and
   * brought to the device, each time that they run. Slower, and far smaller.
   */
  BLOCKS;

  /** The same of a T5 encoder. */
  public T5Encoder.Blocks ofT5() {
    return this == BLOCKS ? T5Encoder.Blocks.PASSING : T5Encoder.Blocks.RESIDENT;
  }
}
