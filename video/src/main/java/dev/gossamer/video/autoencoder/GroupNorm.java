package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Normalises groups of channels over all frames, rows and columns of a chunk, then scales and
 * shifts each channel. Statistics are taken once for the chunk, in float32 per frame and float64
 * over frames, in an order that does not depend on the threads; the rest is done row by row.
 */
public final class GroupNorm implements ActivatedNorm {
  private static final long STRIP = 1 << 20; // numbers that are squared at once

  private final int groups;
  private final double eps;
  private final Tensor weight; // [C] float32
  private final Tensor bias; // [C] float32
  private final RowBands bands;

  /**
   * @param name prefix of the weights, without the closing dot; they stay in float32
   */
  public GroupNorm(
      Parameters parameters, String name, long channels, int groups, double eps, RowBands bands) {
    this.groups = groups;
    this.eps = eps;
    this.weight = parameters.get(name + ".weight", channels);
    this.bias = parameters.get(name + ".bias", channels);
    this.bands = bands;
  }

  /**
   * What a chunk's channels are multiplied by and what is added then.
   *
   * @param scale [B, C] float32
   * @param shift [B, C] float32
   */
  public record Affine(Tensor scale, Tensor shift) {
    /** Normalises rows [1, C, rows, W] of one frame of a video to float32 [rows, W, C]. */
    public Tensor apply(Tensor rows, long video) {
      return rows.select(0, 0)
          .permute(1, 2, 0)
          .to(DType.FLOAT32)
          .mul(scale.select(0, video))
          .addInPlace(shift.select(0, video));
    }
  }

  /** Takes the statistics of x [B, C, t, H, W]; the result is in the current scope. */
  public Affine affine(Tensor x) {
    int videos = Math.toIntExact(x.size(0));
    int frames = Math.toIntExact(x.size(2));
    int channels = Math.toIntExact(x.size(1));
    double[][][] sums = new double[videos * frames][][];
    bands.forEach(
        x,
        videos * frames,
        i -> sums[i] = sums(x.select(0, i / frames).select(1, i % frames), channels));
    float[] scale = new float[videos * channels];
    float[] shift = new float[videos * channels];
    double[] weights = weight.toDoubles();
    double[] biases = bias.toDoubles();
    int size = channels / groups;
    double count = (double) size * frames * x.size(3) * x.size(4);
    for (int video = 0; video < videos; video++) {
      for (int group = 0; group < groups; group++) {
        double sum = 0;
        double squares = 0;
        for (int frame = video * frames; frame < (video + 1) * frames; frame++) {
          for (int c = group * size; c < (group + 1) * size; c++) {
            sum += sums[frame][0][c];
            squares += sums[frame][1][c];
          }
        }
        double mean = sum / count;
        double factor = 1 / Math.sqrt(Math.max(0, squares / count - mean * mean) + eps);
        for (int c = group * size; c < (group + 1) * size; c++) {
          scale[video * channels + c] = (float) (factor * weights[c]);
          shift[video * channels + c] = (float) (biases[c] - mean * factor * weights[c]);
        }
      }
    }
    Device device = x.device();
    return new Affine(
        Tensor.of(scale, videos, channels).to(device),
        Tensor.of(shift, videos, channels).to(device));
  }

  /** Sums and sums of squares of a frame [C, H, W], by channel. */
  private static double[][] sums(Tensor frame, int channels) {
    long rows = Math.max(1, STRIP / (channels * frame.size(2)));
    double[][] sums = new double[2][channels];
    for (long first = 0; first < frame.size(1); first += rows) {
      try (Scope scope = Scope.open()) {
        Tensor strip =
            frame
                .narrow(1, first, Math.min(rows, frame.size(1) - first))
                .permute(1, 2, 0)
                .reshape(-1, channels)
                .to(DType.FLOAT32);
        add(sums[0], strip.sum(false, 0).toDoubles());
        add(sums[1], strip.square().sum(false, 0).toDoubles());
      }
    }
    return sums;
  }

  private static void add(double[] to, double[] values) {
    for (int i = 0; i < to.length; i++) {
      to[i] += values[i];
    }
  }

  @Override
  public CausalConv3d.Intake over(Tensor x, FeatureCache cache) {
    Affine affine = affine(x);
    return (to, from, frame, rows) ->
        to.select(0, 0).permute(1, 2, 0).copyFrom(affine.apply(from, rows.video()).siluInPlace());
  }
}
