package dev.gossamer.video;

import dev.gossamer.tensor.Tensor;

/** Takes decoded frames as they come, in order. */
@FunctionalInterface
public interface FrameSink {
  /**
   * @param frames {@code [frames, 3, height, width]} float32 on the processor, red, green, blue in
   *     0..1; the next frames of the video, at least one. Valid during the call only: copy or adopt
   *     what is to be kept
   */
  void accept(Tensor frames);
}
