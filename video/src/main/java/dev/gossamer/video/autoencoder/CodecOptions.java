package dev.gossamer.video.autoencoder;

import java.util.function.BooleanSupplier;

/**
 * How the autoencoder goes through a video, in either direction.
 *
 * @param tiling tiles, or none
 * @param progress told after each chunk
 * @param cancelled asked before each chunk; where it answers true the work ends with an {@link
 *     dev.gossamer.tensor.failure.InterruptedRunException}
 */
public record CodecOptions(Tiling tiling, ChunkProgress progress, BooleanSupplier cancelled) {
  /** No tiles, nobody listening, never cancelled. */
  public static final CodecOptions PLAIN =
      new CodecOptions(Tiling.OFF, (done, total) -> {}, () -> false);

  public CodecOptions withTiling(Tiling tiling) {
    return new CodecOptions(tiling, progress, cancelled);
  }

  public CodecOptions withProgress(ChunkProgress progress) {
    return new CodecOptions(tiling, progress, cancelled);
  }

  public CodecOptions withCancelled(BooleanSupplier cancelled) {
    return new CodecOptions(tiling, progress, cancelled);
  }
}
