package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * A convolution with a bias and no memory of earlier chunks: of pictures [N, C, H, W] or of frames
 * [B, C, t, H, W].
 */
public final class Convolution {
  private final Tensor weight;
  private final Tensor bias;
  private final long[] stride;
  private final long[] padding;

  private Convolution(Tensor weight, Tensor bias, long[] stride, long[] padding) {
    this.weight = weight;
    this.bias = bias;
    this.stride = stride;
    this.padding = padding;
  }

  /** 1x1x1: {@code name.weight} [out, in, 1, 1, 1]. */
  public static Convolution pointwise(Parameters parameters, String name, long in, long out) {
    return new Convolution(
        parameters.derive(Tensor::channelsLast, name + ".weight", out, in, 1, 1, 1),
        parameters.get(name + ".bias", out),
        new long[] {1, 1, 1},
        new long[3]);
  }

  /** Every second picture position: {@code name.weight} [out, in, 3, 3], without padding. */
  public static Convolution halvingSpace(Parameters parameters, String name, long channels) {
    return new Convolution(
        parameters.derive(Tensor::channelsLast, name + ".weight", channels, channels, 3, 3),
        parameters.get(name + ".bias", channels),
        new long[] {2, 2},
        new long[2]);
  }

  /** Every second frame: {@code name.weight} [out, in, 3, 1, 1], without padding. */
  public static Convolution halvingTime(Parameters parameters, String name, long channels) {
    return new Convolution(
        parameters.derive(Tensor::channelsLast, name + ".weight", channels, channels, 3, 1, 1),
        parameters.get(name + ".bias", channels),
        new long[] {2, 1, 1},
        new long[3]);
  }

  public Tensor apply(Tensor x) {
    return x.dims() == 4
        ? x.conv2d(weight, bias, stride, padding)
        : x.conv3d(weight, bias, stride, padding);
  }
}
