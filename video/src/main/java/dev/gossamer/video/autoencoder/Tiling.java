package dev.gossamer.video.autoencoder;

/**
 * Whether and how the autoencoder works on overlapping tiles of the picture, which are blended
 * where they overlap. Tiles need less memory; the result differs slightly from that without.
 *
 * @param tileHeight pixels of a tile, 0 for {@link #OFF}
 * @param tileWidth pixels of a tile
 * @param strideHeight pixels from one tile to the next, at most {@code tileHeight}
 * @param strideWidth pixels from one tile to the next, at most {@code tileWidth}
 * @param order which tile is decoded when; the result is the same
 */
public record Tiling(
    int tileHeight, int tileWidth, int strideHeight, int strideWidth, Order order) {
  /** In which order a decode visits tiles and chunks. */
  public enum Order {
    /**
     * All tiles of a chunk, then the next chunk. Frames come out as they are ready and memory does
     * not grow with the video, but the features of all tiles stay in memory, which for a whole
     * picture is about as much as decoding without tiles.
     */
    BY_CHUNK,
    /**
     * All chunks of a tile, then the next tile, as in the reference. Needs the features of one tile
     * only, and the pixels of the whole video: least memory unless the video is very long.
     */
    BY_TILE
  }

  /** No tiles. */
  public static final Tiling OFF = new Tiling(0, 0, 0, 0, Order.BY_CHUNK);

  /** The reference's tiles of 256x256 pixels every 192, decoded tile by tile. */
  public static final Tiling REFERENCE = new Tiling(256, 256, 192, 192, Order.BY_TILE);

  public Tiling {
    boolean off = tileHeight == 0 && tileWidth == 0 && strideHeight == 0 && strideWidth == 0;
    boolean sound =
        strideHeight > 0
            && strideWidth > 0
            && strideHeight <= tileHeight
            && strideWidth <= tileWidth;
    if (!off && !sound) {
      throw new IllegalArgumentException(
          "Tiles of "
              + tileWidth
              + "x"
              + tileHeight
              + " every "
              + strideWidth
              + "x"
              + strideHeight
              + " pixels do not cover a picture; strides are from 1 to the tile's size");
    }
  }

  /** Whether a picture of this size in pixels is cut into tiles: if it is larger than one. */
  public boolean appliesTo(long height, long width) {
    return tileHeight > 0 && (height > tileHeight || width > tileWidth);
  }
}
