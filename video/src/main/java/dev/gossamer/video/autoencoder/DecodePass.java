package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** One decode of one video: which tile and chunk when, and what becomes of the frames. */
public final class DecodePass {
  private final ChunkLayers decoder;
  private final Chunks plan;
  private final int ratio;
  private final CodecOptions options;
  private final ChunkSink sink;

  /**
   * @param plan chunks of the latents
   * @param ratio pixels per latent
   */
  public DecodePass(
      ChunkLayers decoder, Chunks plan, int ratio, CodecOptions options, ChunkSink sink) {
    this.decoder = decoder;
    this.plan = plan;
    this.ratio = ratio;
    this.options = options;
    this.sink = sink;
  }

  /**
   * @param latents [B, z, f, h, w] in the decoder's type and place
   */
  public void run(Tensor latents) {
    Tiling tiling = options.tiling();
    long height = latents.size(3);
    long width = latents.size(4);
    if (!tiling.appliesTo(height * ratio, width * ratio)) {
      byChunk(latents, new TileGrid(height, width, height, width, height, width));
    } else if (tiling.order() == Tiling.Order.BY_CHUNK) {
      byChunk(latents, TileGrid.of(tiling, height, width, ratio));
    } else {
      byTile(latents, TileGrid.of(tiling, height, width, ratio));
    }
  }

  private void byChunk(Tensor latents, TileGrid grid) {
    int chunks = plan.count();
    PassProgress progress = new PassProgress(options, "decoding", (long) chunks * grid.tiles());
    List<FeatureCache> caches = new ArrayList<>();
    try {
      for (int tile = 0; tile < grid.tiles(); tile++) {
        caches.add(new FeatureCache());
      }
      for (int chunk = 0; chunk < chunks; chunk++) {
        int at = chunk;
        emit(grid, tile -> decode(grid.cut(latents, tile, 1), at, caches.get(tile), progress));
      }
    } finally {
      caches.forEach(FeatureCache::close);
    }
  }

  private void byTile(Tensor latents, TileGrid grid) {
    int chunks = plan.count();
    PassProgress progress = new PassProgress(options, "decoding", (long) chunks * grid.tiles());
    try (Scope scope = Scope.open()) {
      List<List<Tensor>> decoded = new ArrayList<>(); // by tile, then by chunk
      for (int tile = 0; tile < grid.tiles(); tile++) {
        Tensor part = grid.cut(latents, tile, 1);
        List<Tensor> frames = new ArrayList<>();
        try (FeatureCache cache = new FeatureCache()) {
          for (int chunk = 0; chunk < chunks; chunk++) {
            frames.add(decode(part, chunk, cache, progress));
          }
        }
        decoded.add(frames);
      }
      for (int chunk = 0; chunk < chunks; chunk++) {
        int at = chunk;
        emit(grid, tile -> decoded.get(tile).get(at));
      }
    }
  }

  private Tensor decode(Tensor latents, int chunk, FeatureCache cache, PassProgress progress) {
    progress.beforeChunk();
    try (Scope scope = Scope.open()) {
      Tensor part = latents.narrow(2, plan.start(chunk), plan.length(chunk));
      Tensor frames = scope.keep(decoder.apply(part, cache));
      progress.afterChunk();
      return frames;
    }
  }

  private void emit(TileGrid grid, IntFunction<Tensor> tileAt) {
    try (Scope scope = Scope.open()) {
      Tensor frames = grid.tiles() == 1 ? tileAt.apply(0) : grid.join(tileAt, ratio);
      sink.accept(frames);
    }
  }
}
