package dev.gossamer.tensor.cuda;

/**
 * How a kernel is spread over a card.
 *
 * @param x blocks
 * @param y blocks
 * @param z blocks
 * @param threads of a block
 * @param sharedBytes shared memory of a block beside what the kernel declares
 */
public record Grid(int x, int y, int z, int threads, int sharedBytes) {
  private static final int MOST_THREADS = 1024;
  private static final int MOST_ACROSS = 65_535;

  public Grid {
    if (x < 1 || y < 1 || z < 1 || y > MOST_ACROSS || z > MOST_ACROSS) {
      throw new IllegalArgumentException("No grid: " + x + " x " + y + " x " + z + " blocks");
    }
    if (threads < 1 || threads > MOST_THREADS || sharedBytes < 0) {
      throw new IllegalArgumentException(
          "No block: " + threads + " threads, " + sharedBytes + " bytes of shared memory");
    }
  }

  public static Grid of(int blocks, int threads) {
    return new Grid(blocks, 1, 1, threads, 0);
  }

  public static Grid of(int x, int y, int threads) {
    return new Grid(x, y, 1, threads, 0);
  }

  public Grid withShared(int bytes) {
    return new Grid(x, y, z, threads, bytes);
  }
}
