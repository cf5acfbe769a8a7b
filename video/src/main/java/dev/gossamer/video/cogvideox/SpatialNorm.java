package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.autoencoder.ActivatedNorm;
import dev.gossamer.video.autoencoder.CausalConv3d;
import dev.gossamer.video.autoencoder.ChannelAffine;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.GroupNorm;
import dev.gossamer.video.autoencoder.RowBands;
import java.util.Arrays;

/**
 * A group norm that is scaled and shifted at each place by what the latents there say: {@code
 * CogVideoXSpatialNorm3D}, norm(x) conv_y(z) + conv_b(z), with z enlarged by repetition.
 *
 * <p>The convolutions are 1x1x1, so they are done on the latents before these are enlarged.
 */
final class SpatialNorm implements ActivatedNorm {
  private final GroupNorm norm;
  private final Tensor factorWeight; // [C, z] float32
  private final Tensor factorBias;
  private final Tensor summandWeight; // [C, z] float32
  private final Tensor summandBias;

  /**
   * @param name prefix of the weights, without the closing dot; they stay in float32
   */
  SpatialNorm(
      Parameters parameters,
      String name,
      long channels,
      CogVideoXAutoencoderConfig config,
      RowBands bands) {
    this.norm =
        new GroupNorm(
            parameters, name + ".norm_layer", channels, config.groups(), config.eps(), bands);
    int latent = config.latentChannels();
    this.factorWeight = linear(parameters, name + ".conv_y.conv.weight", channels, latent);
    this.factorBias = parameters.get(name + ".conv_y.conv.bias", channels);
    this.summandWeight = linear(parameters, name + ".conv_b.conv.weight", channels, latent);
    this.summandBias = parameters.get(name + ".conv_b.conv.bias", channels);
  }

  private static Tensor linear(Parameters parameters, String name, long out, long in) {
    return parameters.derive(weight -> weight.reshape(out, in), name, out, in, 1, 1, 1);
  }

  @Override
  public CausalConv3d.Intake over(Tensor x, FeatureCache cache) {
    ChannelAffine affine = norm.affine(x);
    Tensor latents = cache.guide().to(DType.FLOAT32).permute(0, 2, 3, 4, 1).contiguous();
    Tensor factors = latents.linear(factorWeight, factorBias); // [B, t, h, w, C]
    Tensor summands = latents.linear(summandWeight, summandBias);
    int frames = (int) x.size(2);
    Tensor latentRows = latentRows(x.size(3), latents.size(2)).to(x.device());
    return (to, from, frame, rows) -> {
      int latentFrame = latentFrame((int) frame, frames, (int) latents.size(1));
      Tensor index = latentRows.narrow(0, rows.first(), rows.count());
      Tensor normal = affine.apply(from, rows.video());
      long columns = latents.size(3);
      Tensor places =
          normal.reshape(
              rows.count(), columns, normal.size(1) / columns, normal.size(2)); // [r, w, W / w, C]
      places
          .mulInPlace(at(factors, rows.video(), latentFrame, index))
          .addInPlace(at(summands, rows.video(), latentFrame, index))
          .siluInPlace();
      to.select(0, 0).permute(1, 2, 0).copyFrom(normal);
    };
  }

  /** The row of the latents that each row belongs to. */
  private static Tensor latentRows(long height, long latentHeight) {
    long[] rows = new long[Math.toIntExact(height)];
    Arrays.setAll(rows, row -> row * latentHeight / height);
    return Tensor.of(rows, height);
  }

  /** {@code [rows, w, 1, C]}. */
  private static Tensor at(Tensor values, long video, long frame, Tensor rows) {
    return values.select(0, video).select(0, frame).indexSelect(0, rows).unsqueeze(2);
  }

  /**
   * The latent frame that a frame of the chunk belongs to: among an odd number the first is alone.
   */
  static int latentFrame(int frame, int frames, int latentFrames) {
    if (frames % 2 == 1 && frames > 1) {
      return frame == 0 ? 0 : 1 + (frame - 1) * (latentFrames - 1) / (frames - 1);
    }
    return frame * latentFrames / frames;
  }
}
