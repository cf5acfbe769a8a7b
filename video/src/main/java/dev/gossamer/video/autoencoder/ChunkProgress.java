package dev.gossamer.video.autoencoder;

/** Learns how far the autoencoder is. */
public interface ChunkProgress {
  /**
   * Called after each chunk of frames, with tiles after each chunk of each tile.
   *
   * @param done chunks so far
   * @param total chunks of the whole video
   */
  void done(long done, long total);
}
