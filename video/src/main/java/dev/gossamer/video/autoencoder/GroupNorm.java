package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Normalises groups of channels over all frames, rows and columns of a chunk, then scales and
 * shifts each channel. Statistics are taken once for the chunk; the rest is done row by row.
 */
public final class GroupNorm implements ActivatedNorm {
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

  /** Takes the statistics of x [B, C, t, H, W]; the result is in the current scope. */
  public ChannelAffine affine(Tensor x) {
    return ChannelAffine.of(x, groups, weight, bias, eps, bands);
  }

  @Override
  public CausalConv3d.Intake over(Tensor x, FeatureCache cache) {
    ChannelAffine affine = affine(x);
    return (to, from, frame, rows) ->
        to.select(0, 0).permute(1, 2, 0).copyFrom(affine.apply(from, rows.video()).siluInPlace());
  }
}
