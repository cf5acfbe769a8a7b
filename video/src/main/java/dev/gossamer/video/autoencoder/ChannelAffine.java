package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * A group norm whose statistics are known: what a chunk's channels are multiplied by and what is
 * added then.
 *
 * <p>Statistics are sums by channel, in float32 per strip and float64 over strips, whose order does
 * not depend on the threads. Where channels are innermost a card sums and scales that way much
 * faster than libtorch's own group norm does.
 *
 * @param scale [B, C] float32
 * @param shift [B, C] float32
 */
public record ChannelAffine(Tensor scale, Tensor shift) {
  /**
   * Takes the statistics of a chunk; the result is in the current scope.
   *
   * @param x [B, C, t, H, W]
   * @param weight [C]
   * @param bias [C]
   */
  public static ChannelAffine of(
      Tensor x, int groups, Tensor weight, Tensor bias, double eps, RowBands bands) {
    return of(x, groups, weight, bias, eps, bands, Strips.on(x.device()));
  }

  static ChannelAffine of(
      Tensor x, int groups, Tensor weight, Tensor bias, double eps, RowBands bands, Strips strips) {
    int videos = Math.toIntExact(x.size(0));
    long channels = x.size(1);
    long size = channels / groups;
    double count = (double) size * x.size(2) * x.size(3) * x.size(4);
    int runs = strips.runs(x);
    try (Scope scope = Scope.open()) {
      Tensor sums = Tensor.empty(DType.FLOAT64, x.device(), videos * runs, 2, channels).fill(0);
      bands.forEach(
          x,
          videos * runs,
          i -> addSums(sums.select(0, i), strips.run(x, i / runs, i % runs), strips));
      Tensor whole = sums.reshape(videos, runs, 2, groups, size).sum(false, 1, 4);
      Tensor mean = whole.select(1, 0).div(count); // [B, groups]
      Tensor variance = whole.select(1, 1).div(count).sub(mean.square());
      Tensor factor = variance.clamp(0, Double.MAX_VALUE).add(eps).rsqrt().unsqueeze(2);
      Tensor scale = factor.mul(weight.reshape(groups, size)); // [B, groups, size]
      Tensor shift = bias.reshape(groups, size).sub(scale.mul(mean.unsqueeze(2)));
      return new ChannelAffine(
          scope.keep(scale.reshape(videos, channels).to(DType.FLOAT32)),
          scope.keep(shift.reshape(videos, channels).to(DType.FLOAT32)));
    }
  }

  /**
   * Adds sums by channel. Nothing is read back from a card, which would have it wait for every
   * strip.
   *
   * @param to [2, C] float64: sums, sums of squares
   * @param run [C, t, H, W]
   */
  private static void addSums(Tensor to, Tensor run, Strips strips) {
    strips.forEach(
        run,
        (first, rows) -> {
          Tensor values = innermost(run, first, rows).reshape(-1, run.size(0)).to(DType.FLOAT32);
          to.select(0, 0).addInPlace(values.sum(false, 0));
          to.select(0, 1).addInPlace(values.square().sum(false, 0));
        });
  }

  /** Rows of [C, t, H, W] as [t, rows, W, C], a view. */
  private static Tensor innermost(Tensor run, long first, long rows) {
    return run.narrow(2, first, rows).permute(1, 2, 3, 0);
  }

  /** Normalises rows [1, C, rows, W] of one frame of a video to float32 [rows, W, C]. */
  public Tensor apply(Tensor rows, long video) {
    return normalised(rows.select(0, 0).permute(1, 2, 0), video);
  }

  /** [.., C] to float32. */
  private Tensor normalised(Tensor values, long video) {
    return values
        .mul(scale.select(0, video)) // of float32, so the product is
        .addInPlace(shift.select(0, video));
  }

  /**
   * Normalises a chunk and activates it with silu.
   *
   * @param to [B, C, t, H, W], overwritten
   * @param x likewise
   */
  public void activate(Tensor to, Tensor x) {
    activate(to, x, Strips.on(x.device()));
  }

  void activate(Tensor to, Tensor x, Strips strips) {
    int runs = strips.runs(x);
    for (int i = 0; i < x.size(0) * runs; i++) {
      int video = i / runs;
      try (Scope scope = Scope.open()) {
        Tensor from = strips.run(x, video, i % runs);
        Tensor into = strips.run(to, video, i % runs);
        strips.forEach(
            from,
            (first, rows) ->
                innermost(into, first, rows)
                    .copyFrom(normalised(innermost(from, first, rows), video).siluInPlace()));
      }
    }
  }
}
