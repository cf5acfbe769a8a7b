package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.video.autoencoder.TileGrid;
import dev.gossamer.video.autoencoder.Tiling;

/**
 * What a decode needs in memory, counted from the shapes of its activations: for each layer what is
 * alive at once, the largest of these sums, and the frames that the caches keep. Weights, the
 * latents and what convolutions use inside are not counted.
 *
 * @param config of the autoencoder
 * @param dtype of the activations
 */
record DecodeMemory(WanAutoencoderConfig config, DType dtype) {
  private static final int KEPT = 2; // frames that a causal convolution remembers

  /**
   * Bytes at the peak.
   *
   * @param batch videos at once
   * @param frames latent frames
   * @param height of a latent
   * @param width of a latent
   */
  long bytes(long batch, long frames, long height, long width, Tiling tiling) {
    int ratio = config.spatialRatio();
    if (!tiling.appliesTo(height * ratio, width * ratio)) {
      return batch * (perLatentPixel(true) + perLatentPixel(false)) * height * width;
    }
    TileGrid grid = TileGrid.of(tiling, height, width, ratio);
    long tilePixels = Math.min(grid.tileHeight(), height) * Math.min(grid.tileWidth(), width);
    long allPixels = tiledPixels(grid);
    long chunkBytes = 3L * Float.BYTES * ratio * ratio * config.temporalRatio();
    long working = perLatentPixel(false) * tilePixels;
    // A chunk's tiles, two rows of them at a time, and the picture that they are joined to, twice.
    long joining = chunkBytes * (allPixels * 2 / grid.rows() + 2 * height * width);
    return batch
        * switch (tiling.order()) {
          case BY_CHUNK -> perLatentPixel(true) * allPixels + working + joining;
          case BY_TILE ->
              perLatentPixel(true) * tilePixels
                  + working
                  + chunkBytes * allPixels * frames
                  + joining;
        };
  }

  private static long tiledPixels(TileGrid grid) {
    long rows = 0;
    for (int row = 0; row < grid.rows(); row++) {
      rows += Math.min(grid.tileHeight(), grid.height() - row * grid.strideHeight());
    }
    long columns = 0;
    for (int column = 0; column < grid.columns(); column++) {
      columns += Math.min(grid.tileWidth(), grid.width() - column * grid.strideWidth());
    }
    return rows * columns;
  }

  /**
   * Bytes for each pixel of the latent: of all caches together, or of the activations that are
   * alive at once.
   */
  private long perLatentPixel(boolean caches) {
    long size = dtype.bytes();
    long kept = KEPT * size * config.latentChannels();
    long alive = 0;
    long area = 1; // pixels of this level per pixel of the latent
    long frames = 1; // of this level per latent frame
    long in = config.decoderChannels(0);
    for (int block = 0; block < 2; block++) { // the middle
      kept += KEPT * size * 2 * in;
      alive = Math.max(alive, size * block(in, in, frames));
    }
    for (int level = 0; level < config.levels(); level++) {
      long out = config.decoderChannels(level);
      for (int block = 0; block <= config.blocks(); block++) {
        kept += KEPT * size * area * (in + out);
        alive = Math.max(alive, size * area * block(in, out, frames));
        in = out;
      }
      if (level < config.levels() - 1) {
        if (config.doublesTime(level)) {
          kept += KEPT * size * area * in;
          // input, window, pairs of frames, the pairs in order
          alive = Math.max(alive, size * area * in * (6 * frames + KEPT));
          frames *= 2;
        }
        // input, the four phases and the enlarged picture, each four times half the channels
        alive = Math.max(alive, size * area * in * 5 * frames);
        area *= 4;
        in /= 2;
      }
    }
    // At the end: input and its float32 activation, then nine channels, twice with the cached ones.
    long taps = 9;
    kept += KEPT * Float.BYTES * area * taps;
    alive = Math.max(alive, area * frames * in * (size + Float.BYTES));
    alive = Math.max(alive, area * (frames * in * size + Float.BYTES * taps * 3 * (frames + KEPT)));
    return caches ? kept : alive;
  }

  /** Channels times frames that are alive at once in a residual block. */
  private static long block(long in, long out, long frames) {
    long windowed = frames + KEPT;
    long first = in * frames + in * windowed + out * frames;
    long second = in * frames + out * windowed + out * frames;
    return Math.max(first, second);
  }
}
