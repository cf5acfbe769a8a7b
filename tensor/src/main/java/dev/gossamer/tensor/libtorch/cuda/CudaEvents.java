package dev.gossamer.tensor.libtorch.cuda;

import org.bytedeco.cuda.global.cudart;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Two marks in the stream of a card, and the time between them as the card sees it. Nobody waits
 * until it is asked for.
 */
public final class CudaEvents implements AutoCloseable {
  private final int card;
  private final CUDAEvent begin = new CUDAEvent(cudart.cudaEventDefault);
  private final CUDAEvent end = new CUDAEvent(cudart.cudaEventDefault);

  private CudaEvents(int card) {
    this.card = card;
  }

  /** Sets the first mark behind all that the current stream was given. */
  public static CudaEvents begin(int card) {
    Cuda.boot();
    CudaEvents events = new CudaEvents(card);
    events.mark(events.begin);
    return events;
  }

  /** Sets the second mark. */
  public void end() {
    mark(end);
  }

  private void mark(CUDAEvent event) {
    try (Cuda.Current current = Cuda.current(card);
        CUDAStream stream = torch_cuda.getCurrentCUDAStream((byte) card)) {
      event.record(stream);
    }
  }

  /** Waits for the second mark; milliseconds between both. */
  public double millis() {
    try (Cuda.Current current = Cuda.current(card)) {
      end.synchronize();
      return begin.elapsed_time(end);
    }
  }

  @Override
  public void close() {
    begin.close();
    end.close();
  }
}
