package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * How a chunk is divided where it is worked on in float32, so that it never is so as a whole: runs
 * of frames, and strips of their rows.
 *
 * @param numbers of a strip at most, unless a row has more
 * @param joined whether a run has as many frames as a strip holds, or one
 */
record Strips(long numbers, boolean joined) {
  /** What fits a core's cache; frames are divided among threads. */
  private static final Strips CPU = new Strips(1 << 20, false);

  /** What keeps a card busy. */
  private static final Strips CUDA = new Strips(1 << 26, true);

  static Strips on(Device device) {
    return device.isCpu() ? CPU : CUDA;
  }

  /** Runs of each video of a chunk [B, C, t, H, W]. */
  int runs(Tensor chunk) {
    long frames = framesOfRun(chunk);
    return Math.toIntExact((chunk.size(2) + frames - 1) / frames);
  }

  /** The frames of a run of one video: a view [C, t, H, W] of [B, C, t, H, W]. */
  Tensor run(Tensor chunk, long video, long run) {
    long frames = framesOfRun(chunk);
    long first = run * frames;
    return chunk.select(0, video).narrow(1, first, Math.min(frames, chunk.size(2) - first));
  }

  private long framesOfRun(Tensor chunk) {
    return joined ? Math.max(1, numbers / (chunk.size(1) * chunk.size(3) * chunk.size(4))) : 1;
  }

  /** Work on some rows. */
  interface Work {
    void accept(long first, long rows);
  }

  /** Goes through the rows of a run [C, t, H, W], each strip with a {@link Scope} of its own. */
  void forEach(Tensor run, Work work) {
    long height = run.size(2);
    long rows = Math.max(1, numbers / (run.size(0) * run.size(1) * run.size(3)));
    for (long first = 0; first < height; first += rows) {
      try (Scope scope = Scope.open()) {
        work.accept(first, Math.min(rows, height - first));
      }
    }
  }
}
