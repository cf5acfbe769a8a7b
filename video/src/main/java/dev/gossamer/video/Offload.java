package dev.gossamer.video;

import dev.gossamer.tensor.nn.LayerRow;

/** What of a part's weights is in memory while the part works. The video is the same. */
public enum Offload {
  /** All of them. */
  NONE,
  /**
   * Of transformer and text encoders the block that runs; the others are read from their files, and
   * brought to the device, each time that they run. Slower, and far smaller.
   */
  BLOCKS;

  /** How long the weights of a block stay in memory. */
  public LayerRow.Stay stay() {
    return this == BLOCKS ? LayerRow.Stay.PASSING : LayerRow.Stay.RESIDENT;
  }

  /** Blocks that are in memory where so many of them may run at once. */
  public int held(int running) {
    return this == BLOCKS ? running : Integer.MAX_VALUE;
  }
}
