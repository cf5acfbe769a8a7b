package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/** Decoded frames as pictures. */
public final class Pixels {
  private Pixels() {}

  /** [1, 3, t, H, W] in -1..1, clamped, as [t, 3, H, W] in 0..1 on the processor. */
  public static Tensor of(Tensor chunk) {
    return chunk
        .select(0, 0)
        .permute(1, 0, 2, 3)
        .to(Device.CPU)
        .div(2)
        .add(0.5)
        .clamp(0, 1)
        .contiguous();
  }
}
