package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * A convolution over frames, rows and columns that sees no later frame; what lies outside the video
 * is as its nearest edge.
 *
 * @param weight {@code [out, in, k, k, k]}
 * @param bias {@code [out]}
 */
record EdgeConv3d(Tensor weight, Tensor bias) {
  private static final long[] ONE = {1, 1, 1};
  private static final long[] NONE = {0, 0, 0};

  /** Reads {@code prefix.conv.weight} and {@code prefix.conv.bias}. */
  static EdgeConv3d of(Parameters parameters, String prefix, int in, int out, int kernel) {
    return plain(parameters, prefix + ".conv", in, out, kernel);
  }

  /** Reads {@code prefix.weight} and {@code prefix.bias}. */
  static EdgeConv3d plain(Parameters parameters, String prefix, int in, int out, int kernel) {
    return new EdgeConv3d(
        parameters.get(prefix + ".weight", out, in, kernel, kernel, kernel),
        parameters.get(prefix + ".bias", out));
  }

  /**
   * @param x {@code [B, in, t, h, w]}
   * @return {@code [B, out, t, h, w]}
   */
  Tensor apply(Tensor x) {
    try (Scope scope = Scope.open()) {
      long kernel = weight.size(2);
      Tensor input = kernel == 1 ? x : padded(x, kernel);
      return scope.keep(input.conv3d(weight, bias, ONE, NONE));
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
        Tensor.empty(
            x.dtype(),
            x.device(),
            x.size(0),
            x.size(1),
            frames + before,
            height + 2 * around,
            width + 2 * around);
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
