package dev.gossamer.tensor.cuda;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.libtorch.cuda.CudaEvents;
import java.util.function.DoubleSupplier;

/**
 * How long work on a device takes. A card works behind the thread that gives it work, so its time
 * is taken by marks in its stream, and only whoever asks for the figure waits.
 */
public final class Stopwatch {
  private final long nanos = System.nanoTime();
  private final CudaEvents events; // null on a processor

  private Stopwatch(CudaEvents events) {
    this.events = events;
  }

  /** Begins, behind all that the device was given before. */
  public static Stopwatch start(Device device) {
    return new Stopwatch(device.isCpu() ? null : CudaEvents.begin(device.index()));
  }

  /**
   * Ends; to be called once.
   *
   * @return the seconds; on a card the first call waits until the work is done
   */
  public DoubleSupplier stop() {
    if (events == null) {
      double seconds = (System.nanoTime() - nanos) / 1e9;
      return () -> seconds;
    }
    events.end();
    return new DoubleSupplier() {
      private double seconds = -1;

      @Override
      public synchronized double getAsDouble() {
        if (seconds < 0) {
          seconds = events.millis() / 1e3;
          events.close();
        }
        return seconds;
      }
    };
  }
}
