package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/** From what an autoencoder gives to what is shown. */
public final class Pixels {
  private Pixels() {}

  /**
   * @param chunk {@code [1, 3, t, H, W]} in about -1..1
   * @return {@code [t, 3, H, W]} float32 in 0..1, on the processor, in the current scope
   */
  public static Tensor of(Tensor chunk) {
    return chunk
        .select(0, 0)
        .permute(1, 0, 2, 3)
        .to(Device.CPU)
        .to(DType.FLOAT32)
        .div(2)
        .add(0.5)
        .clamp(0, 1)
        .contiguous();
  }
}
