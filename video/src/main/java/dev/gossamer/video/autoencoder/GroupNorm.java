package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Normalises groups of channels over all frames, rows and columns of a chunk, then scales and
 * shifts each channel. Statistics are taken once for the chunk, in float32 per strip of rows and
 * float64 over strips, whose order does not depend on the threads; the rest is done row by row.
 */
public final class GroupNorm implements ActivatedNorm {
  // Numbers that are squared at once: what fits a core's cache, or what keeps a card busy.
  private static final long CPU_STRIP = 1 << 20;
  private static final long CUDA_STRIP = 1 << 26;

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
          .mul(scale.select(0, video)) // of float32, so the product is
          .addInPlace(shift.select(0, video));
    }
  }

  /** Takes the statistics of x [B, C, t, H, W]; the result is in the current scope. */
  public Affine affine(Tensor x) {
    long videos = x.size(0);
    int frames = Math.toIntExact(x.size(2));
    long channels = x.size(1);
    long size = channels / groups;
    double count = (double) size * frames * x.size(3) * x.size(4);
    try (Scope scope = Scope.open()) {
      Tensor sums = Tensor.empty(DType.FLOAT64, x.device(), videos * frames, 2, channels).fill(0);
      bands.forEach(
          x,
          Math.toIntExact(videos * frames),
          i -> addSums(sums.select(0, i), x.select(0, i / frames).select(1, i % frames)));
      Tensor whole = sums.reshape(videos, frames, 2, groups, size).sum(false, 1, 4);
      Tensor mean = whole.select(1, 0).div(count); // [B, groups]
      Tensor variance = whole.select(1, 1).div(count).sub(mean.square());
      Tensor factor = variance.clamp(0, Double.MAX_VALUE).add(eps).rsqrt().unsqueeze(2);
      Tensor scale = factor.mul(weight.reshape(groups, size)); // [B, groups, size]
      Tensor shift = bias.reshape(groups, size).sub(scale.mul(mean.unsqueeze(2)));
      return new Affine(
          scope.keep(scale.reshape(videos, channels).to(DType.FLOAT32)),
          scope.keep(shift.reshape(videos, channels).to(DType.FLOAT32)));
    }
  }

  /**
   * Adds a frame's sums by channel. Nothing is read back from a card, which would have it wait for
   * every strip.
   *
   * @param to [2, C] float64: sums, sums of squares
   * @param frame [C, H, W]
   */
  private static void addSums(Tensor to, Tensor frame) {
    long channels = frame.size(0);
    long strip = frame.device().isCpu() ? CPU_STRIP : CUDA_STRIP;
    long rows = Math.max(1, strip / (channels * frame.size(2)));
    for (long first = 0; first < frame.size(1); first += rows) {
      try (Scope scope = Scope.open()) {
        Tensor values =
            frame
                .narrow(1, first, Math.min(rows, frame.size(1) - first))
                .permute(1, 2, 0)
                .reshape(-1, channels)
                .to(DType.FLOAT32);
        to.select(0, 0).addInPlace(values.sum(false, 0));
        to.select(0, 1).addInPlace(values.square().sum(false, 0));
      }
    }
  }

  @Override
  public CausalConv3d.Intake over(Tensor x, FeatureCache cache) {
    Affine affine = affine(x);
    return (to, from, frame, rows) ->
        to.select(0, 0).permute(1, 2, 0).copyFrom(affine.apply(from, rows.video()).siluInPlace());
  }
}
