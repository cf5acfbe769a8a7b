package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.Activations;
import java.util.List;
import java.util.function.Consumer;

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
    if (weight.size(2) > 1) {
      return over(x, x.size(2), x.size(3), x.size(4), input -> input.copyFrom(x));
    }
    try (Scope scope = Scope.open()) {
      return scope.keep(convolved(x.channelsLast()));
    }
  }

  /** {@code x} normalised and activated on its way in. */
  Tensor apply(GroupNorm norm, Tensor x) {
    return over(x, x.size(2), x.size(3), x.size(4), input -> norm.activate(input, x));
  }

  /**
   * Over an input that is made where the convolution reads it, between its edges.
   *
   * @param like of the input's batch, type and place
   * @param maker overwrites {@code [B, in, frames, height, width]}
   */
  Tensor over(Tensor like, long frames, long height, long width, Consumer<Tensor> maker) {
    try (Scope scope = Scope.open()) {
      long kernel = weight.size(2);
      long before = kernel - 1;
      long around = kernel / 2;
      Tensor wide =
          Activations.empty(
              like.size(0),
              weight.size(1),
              frames + before,
              height + 2 * around,
              width + 2 * around,
              like.dtype(),
              like.device());
      Tensor own = wide.narrow(2, before, frames);
      Tensor rows = own.narrow(3, around, height);
      maker.accept(rows.narrow(4, around, width));
      repeatEdges(rows, 4, around, width);
      repeatEdges(own, 3, around, height);
      wide.narrow(2, 0, before).copyFrom(own.narrow(2, 0, 1));
      return scope.keep(convolved(wide));
    }
  }

  private Tensor convolved(Tensor input) {
    return input.conv3d(
        weight, bias, stride.stream().mapToLong(Integer::longValue).toArray(), NONE);
  }

  private static void repeatEdges(Tensor wide, int dim, long around, long size) {
    wide.narrow(dim, 0, around).copyFrom(wide.narrow(dim, around, 1));
    wide.narrow(dim, around + size, around).copyFrom(wide.narrow(dim, around + size - 1, 1));
  }
}
