package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.Activations;
import java.util.List;

/**
 * A convolution over frames, rows and columns that sees no later frame; what lies outside the video
 * is as its nearest edge.
 *
 * <p>Channels are innermost in memory, as {@link Activations} lays them out: the faster layout.
 *
 * @param weight {@code [out, in, k, k, k]}
 * @param bias {@code [out]}
 * @param stride along frames, rows and columns
 */
record EdgeConv3d(Tensor weight, Tensor bias, List<Integer> stride) implements VideoLayer {
  private static final long[] NONE = {0, 0, 0};

  /** Reads {@code prefix.conv.weight} and {@code prefix.conv.bias}. */
  static EdgeConv3d of(Parameters parameters, String prefix, int in, int out, int kernel) {
    return plain(parameters, prefix + ".conv", in, out, kernel);
  }

  /** Reads {@code prefix.weight} and {@code prefix.bias}. */
  static EdgeConv3d plain(Parameters parameters, String prefix, int in, int out, int kernel) {
    return new EdgeConv3d(
        parameters.derive(
            Tensor::channelsLast, prefix + ".weight", out, in, kernel, kernel, kernel),
        parameters.get(prefix + ".bias", out),
        List.of(1, 1, 1));
  }

  /** This convolution at every so many frames, rows and columns only. */
  EdgeConv3d every(int frames, int pixels) {
    return new EdgeConv3d(weight, bias, List.of(frames, pixels, pixels));
  }

  /**
   * @param x {@code [B, in, t, h, w]}
   * @return {@code [B, out, t, h, w]}, each divided by its stride, rounded up
   */
  @Override
  public Tensor apply(Tensor x) {
    try (Scope scope = Scope.open()) {
      long kernel = weight.size(2);
      Tensor input = kernel == 1 ? x.channelsLast() : padded(x, kernel);
      return scope.keep(
          input.conv3d(
              weight, bias, stride.stream().mapToLong(Integer::longValue).toArray(), NONE));
    }
  }

  /** With {@code kernel - 1} frames before the first and half a kernel around each. */
  private static Tensor padded(Tensor x, long kernel) {
    long before = kernel - 1;
    long around = kernel / 2;
    long frames = x.size(2);
    long height = x.size(3);
    long width = x.size(4);
    Tensor wide =
        Activations.empty(
            x.size(0),
            x.size(1),
            frames + before,
            height + 2 * around,
            width + 2 * around,
            x.dtype(),
            x.device());
    Tensor own = wide.narrow(2, before, frames);
    own.narrow(3, around, height).narrow(4, around, width).copyFrom(x);
    repeatEdges(own.narrow(3, around, height), 4, around, width);
    repeatEdges(own, 3, around, height);
    wide.narrow(2, 0, before).copyFrom(own.narrow(2, 0, 1));
    return wide;
  }

  private static void repeatEdges(Tensor wide, int dim, long around, long size) {
    wide.narrow(dim, 0, around).copyFrom(wide.narrow(dim, around, 1));
    wide.narrow(dim, around + size, around).copyFrom(wide.narrow(dim, around + size - 1, 1));
  }
}
