package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/**
 * The tiles of one picture, in latents, and how their results are joined: {@code tiled_decode} and
 * {@code tiled_encode} of diffusers' autoencoders. Tiles are numbered row by row.
 *
 * @param height of the picture, in latents
 * @param width of the picture, in latents
 * @param tileHeight of a tile, in latents
 * @param tileWidth of a tile, in latents
 * @param strideHeight from one tile to the next, in latents
 * @param strideWidth from one tile to the next, in latents
 */
public record TileGrid(
    long height, long width, long tileHeight, long tileWidth, long strideHeight, long strideWidth) {

  /**
   * @param ratio pixels per latent
   * @throws UsageException if tiles or strides are not whole latents
   */
  public static TileGrid of(Tiling tiling, long height, long width, int ratio) {
    if (tiling.tileHeight() % ratio != 0
        || tiling.tileWidth() % ratio != 0
        || tiling.strideHeight() % ratio != 0
        || tiling.strideWidth() % ratio != 0) {
      throw new UsageException(
          "Tiles and strides must be multiples of " + ratio + " pixels, not " + tiling,
          "Use tiles of 256 pixels every 192");
    }
    return new TileGrid(
        height,
        width,
        tiling.tileHeight() / ratio,
        tiling.tileWidth() / ratio,
        tiling.strideHeight() / ratio,
        tiling.strideWidth() / ratio);
  }

  public int rows() {
    return Math.toIntExact((height + strideHeight - 1) / strideHeight);
  }

  public int columns() {
    return Math.toIntExact((width + strideWidth - 1) / strideWidth);
  }

  public int tiles() {
    return rows() * columns();
  }

  /**
   * A tile's part of a picture; a view.
   *
   * @param picture [B, C, t, height scale, width scale]
   * @param scale pixels of the picture per latent
   */
  public Tensor cut(Tensor picture, int tile, int scale) {
    long y = tile / columns() * strideHeight;
    long x = tile % columns() * strideWidth;
    return picture
        .narrow(3, y * scale, Math.min(tileHeight, height - y) * scale)
        .narrow(4, x * scale, Math.min(tileWidth, width - x) * scale);
  }

  /**
   * Blends each tile into the one above and the one to its left, crops all to their strides and
   * puts them together.
   *
   * @param tileAt makes tile 0, 1, .. in turn, [B, C, t, rows, columns]; it is changed
   * @param scale pixels of a tile per latent
   * @return [B, C, t, height scale, width scale], in the current scope
   */
  public Tensor join(IntFunction<Tensor> tileAt, int scale) {
    try (Scope scope = Scope.open()) {
      List<Tensor> above = new ArrayList<>();
      List<Tensor> picture = new ArrayList<>();
      for (int row = 0; row < rows(); row++) {
        List<Tensor> current = new ArrayList<>();
        for (int column = 0; column < columns(); column++) {
          Tensor tile = tileAt.apply(row * columns() + column);
          if (row > 0) {
            blend(above.get(column), tile, 3, (tileHeight - strideHeight) * scale);
          }
          if (column > 0) {
            blend(current.get(column - 1), tile, 4, (tileWidth - strideWidth) * scale);
          }
          current.add(tile);
        }
        picture.add(cropAndJoin(current, scale));
        above.forEach(Tensor::close);
        above = current;
      }
      return scope.keep(Tensor.cat(3, picture));
    }
  }

  private Tensor cropAndJoin(List<Tensor> row, int scale) {
    try (Scope scope = Scope.open()) {
      List<Tensor> cropped =
          row.stream()
              .map(
                  tile ->
                      tile.narrow(3, 0, Math.min(strideHeight * scale, tile.size(3)))
                          .narrow(4, 0, Math.min(strideWidth * scale, tile.size(4))))
              .toList();
      return scope.keep(Tensor.cat(4, cropped));
    }
  }

  /** after[i] = before[size - E + i] (1 - i / E) + after[i] i / E, for i below the extent E. */
  private static void blend(Tensor before, Tensor after, int dim, long overlap) {
    long extent = Math.min(overlap, Math.min(before.size(dim), after.size(dim)));
    if (extent == 0) {
      return;
    }
    try (Scope scope = Scope.open()) {
      Device device = after.device();
      Tensor ramp = Tensor.arange(extent, DType.FLOAT64).div(extent);
      if (dim == 3) {
        ramp = ramp.reshape(extent, 1);
      }
      Tensor rising = ramp.to(after.dtype()).to(device);
      Tensor falling = ramp.neg().add(1).to(after.dtype()).to(device);
      after
          .narrow(dim, 0, extent)
          .mulInPlace(rising)
          .addMulInPlace(before.narrow(dim, before.size(dim) - extent, extent), falling);
    }
  }
}
