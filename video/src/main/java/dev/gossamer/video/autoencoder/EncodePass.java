package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** One encode of one video: tile by tile, chunk by chunk. */
public final class EncodePass {
  private final ChunkLayers encoder;
  private final Chunks plan;
  private final int spatialRatio;
  private final CodecOptions options;

  /**
   * @param plan chunks of the video
   * @param spatialRatio pixels per latent
   */
  public EncodePass(ChunkLayers encoder, Chunks plan, int spatialRatio, CodecOptions options) {
    this.encoder = encoder;
    this.plan = plan;
    this.spatialRatio = spatialRatio;
    this.options = options;
  }

  /**
   * @param video [B, 3, F, H, W] in the encoder's type and place
   * @return moments [B, 2 z, f, h, w]
   */
  public Tensor run(Tensor video) {
    long height = video.size(3) / spatialRatio;
    long width = video.size(4) / spatialRatio;
    int chunks = plan.count();
    if (!options.tiling().appliesTo(video.size(3), video.size(4))) {
      return encode(video, chunks, new PassProgress(options, "encoding", chunks));
    }
    TileGrid grid = TileGrid.of(options.tiling(), height, width, spatialRatio);
    PassProgress progress = new PassProgress(options, "encoding", (long) chunks * grid.tiles());
    return grid.join(tile -> encode(grid.cut(video, tile, spatialRatio), chunks, progress), 1);
  }

  private Tensor encode(Tensor video, int chunks, PassProgress progress) {
    try (Scope scope = Scope.open();
        FeatureCache cache = new FeatureCache()) {
      List<Tensor> moments = new ArrayList<>();
      for (int chunk = 0; chunk < chunks; chunk++) {
        progress.beforeChunk();
        moments.add(encodeChunk(video, chunk, cache));
        progress.afterChunk();
      }
      return scope.keep(Tensor.cat(2, moments));
    }
  }

  private Tensor encodeChunk(Tensor video, int chunk, FeatureCache cache) {
    try (Scope scope = Scope.open()) {
      Tensor frames = video.narrow(2, plan.start(chunk), plan.length(chunk));
      return scope.keep(encoder.apply(frames, cache));
    }
  }
}
