package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.video.autoencoder.TileGrid;
import java.util.ArrayList;
import java.util.List;

/** One encode of one video: tile by tile, chunk by chunk. */
final class EncodePass {
  private final WanEncoder encoder;
  private final int spatialRatio;
  private final int temporalRatio;
  private final CodecOptions options;

  /**
   * @param spatialRatio pixels per latent
   * @param temporalRatio frames per latent frame after the first
   */
  EncodePass(WanEncoder encoder, int spatialRatio, int temporalRatio, CodecOptions options) {
    this.encoder = encoder;
    this.spatialRatio = spatialRatio;
    this.temporalRatio = temporalRatio;
    this.options = options;
  }

  /**
   * @param video [B, 3, F, H, W] in the encoder's type and place
   * @return moments [B, 2 z, f, h, w]
   */
  Tensor run(Tensor video) {
    long height = video.size(3) / spatialRatio;
    long width = video.size(4) / spatialRatio;
    long chunks = (video.size(2) - 1) / temporalRatio + 1;
    if (!options.tiling().appliesTo(video.size(3), video.size(4))) {
      return encode(video, chunks, new PassProgress(options, "encoding", chunks));
    }
    TileGrid grid = TileGrid.of(options.tiling(), height, width, spatialRatio);
    PassProgress progress = new PassProgress(options, "encoding", chunks * grid.tiles());
    return grid.join(tile -> encode(grid.cut(video, tile, spatialRatio), chunks, progress), 1);
  }

  private Tensor encode(Tensor video, long chunks, PassProgress progress) {
    try (Scope scope = Scope.open();
        FeatureCache cache = new FeatureCache()) {
      List<Tensor> moments = new ArrayList<>();
      for (long chunk = 0; chunk < chunks; chunk++) {
        progress.beforeChunk();
        moments.add(encodeChunk(video, chunk, cache));
        progress.afterChunk();
      }
      return scope.keep(Tensor.cat(2, moments));
    }
  }

  private Tensor encodeChunk(Tensor video, long chunk, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      long first = chunk == 0 ? 0 : 1 + temporalRatio * (chunk - 1);
      Tensor frames = video.narrow(2, first, chunk == 0 ? 1 : temporalRatio);
      return scope.keep(encoder.encode(frames, cache));
    }
  }
}
