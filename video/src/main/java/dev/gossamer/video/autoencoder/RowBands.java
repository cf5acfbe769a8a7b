package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * Divides the rows of a picture among threads. A layer computes a band of rows from its input to
 * its output while the band is in a core's cache, so that what lies between (normalised, activated,
 * padded, not yet interleaved) is never written to memory as a whole; and a thread that is held up
 * delays the others less than if all of them met after each operation.
 */
public final class RowBands {
  // Numbers per frame of a band. Larger bands read fewer rows twice, smaller ones fit the cache.
  private static final long CPU_ELEMENTS = 1 << 17;
  private static final long CUDA_ELEMENTS = 1 << 28;
  private static final long LEAST_ROWS = 8;

  private final Threads threads;

  public RowBands(Threads threads) {
    this.threads = threads;
  }

  /**
   * Rows of one video of a batch.
   *
   * @param video index in the batch
   * @param first row
   * @param count rows
   * @param height rows of the whole picture
   */
  public record Band(long video, long first, long count, long height) {
    /** These rows of [B, C, t, height, W]: a view [1, C, t, count, W]. */
    public Tensor of(Tensor frames) {
      return frames.narrow(0, video, 1).narrow(3, first, count);
    }

    /** The rows around these, as many as there are, up to {@code halo} above and below. */
    public Band widened(long halo) {
      long top = Math.max(0, first - halo);
      return new Band(video, top, Math.min(height, first + count + halo) - top, height);
    }

    /**
     * Of a buffer [1, C, t, count + 2 halo, W] for these rows with {@code halo} more on either
     * side: the part that lies inside the picture. The rest is set to zero.
     */
    public Tensor inside(Tensor buffer, long halo) {
      Band real = widened(halo);
      long above = halo - (first - real.first);
      long below = buffer.size(3) - above - real.count;
      buffer.narrow(3, 0, above).fill(0);
      buffer.narrow(3, above + real.count, below).fill(0);
      return buffer.narrow(3, above, real.count);
    }
  }

  /**
   * Runs {@code work} for bands that together are all rows of all videos, in any order and at the
   * same time; each call has a {@link Scope} of its own.
   *
   * @param frames [B, C, t, H, W], the tensor whose rows are divided
   */
  public void forEach(Tensor frames, Consumer<Band> work) {
    long height = frames.size(3);
    long rowElements = frames.size(1) * frames.size(4);
    boolean cpu = frames.device().isCpu();
    long workers = cpu ? threads.count() : 1;
    long fitting = (cpu ? CPU_ELEMENTS : CUDA_ELEMENTS) / rowElements;
    long most = (height + workers - 1) / workers;
    long rows = Math.min(most, Math.max(LEAST_ROWS, fitting));
    // As many bands for each worker, of about equal size.
    long bands = (height + rows - 1) / rows;
    bands = Math.min(height, (bands + workers - 1) / workers * workers);
    long even = (height + bands - 1) / bands;
    int perVideo = Math.toIntExact((height + even - 1) / even);
    int all = Math.toIntExact(frames.size(0) * perVideo);
    if (cpu) {
      threads.forEach(all, i -> work.accept(band(i, perVideo, even, height)));
    } else {
      for (int i = 0; i < all; i++) {
        try (Scope scope = Scope.open()) {
          work.accept(band(i, perVideo, even, height));
        }
      }
    }
  }

  /** Runs {@code work} for 0 to {@code items - 1}, each with a {@link Scope} of its own. */
  void forEach(Tensor frames, int items, IntConsumer work) {
    if (frames.device().isCpu()) {
      threads.forEach(items, work);
      return;
    }
    for (int i = 0; i < items; i++) {
      try (Scope scope = Scope.open()) {
        work.accept(i);
      }
    }
  }

  private static Band band(int index, int perVideo, long rows, long height) {
    long first = index % perVideo * rows;
    return new Band(index / perVideo, first, Math.min(rows, height - first), height);
  }
}
