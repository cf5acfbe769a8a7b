package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.autoencoder.TileGrid;
import dev.gossamer.video.autoencoder.Tiling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Between frames and latents: {@code AutoencoderKLHunyuanVideo}. A latent frame stands for 8x8
 * pixels of four frames, the first for those of one.
 *
 * <p>As in the reference, more than four latent frames are decoded in overlapping runs of five, one
 * every three, and more than sixteen frames encoded in runs of seventeen, one every twelve; what
 * overlaps is blended. Tiles of the picture are blended within each run. One call at a time; the
 * weights belong to this object until it is closed.
 */
public final class HunyuanAutoencoder implements AutoCloseable {
  /** Frames of a run that stand alone, in frames of the video; the reference's. */
  private static final int RUN = 16;

  /** Frames from one run to the next, likewise. */
  private static final int STRIDE = 12;

  /** What to load. */
  public enum Parts {
    ENCODER_AND_DECODER,
    DECODER
  }

  private final HunyuanAutoencoderConfig config;
  private final DType dtype;
  private final Device device;
  private final Scope weights;
  private final HunyuanDecoder decoder;
  private final Optional<HunyuanEncoder> encoder;

  private HunyuanAutoencoder(
      HunyuanAutoencoderConfig config,
      Parameters parameters,
      DType dtype,
      Device device,
      Scope weights,
      Parts parts) {
    this.config = config;
    this.dtype = dtype;
    this.device = device;
    this.weights = weights;
    this.decoder = new HunyuanDecoder(config, parameters);
    if (parts == Parts.ENCODER_AND_DECODER) {
      this.encoder = Optional.of(new HunyuanEncoder(config, parameters));
    } else {
      this.encoder = Optional.empty();
      parameters.ignore(name -> !ofDecoder(name));
    }
  }

  /** Whether a tensor of a checkpoint belongs to the decoder. */
  static boolean ofDecoder(String name) {
    return !name.startsWith("encoder.") && !name.startsWith("quant_conv.");
  }

  /**
   * Loads the weights of a folder {@code vae}.
   *
   * @param dtype of weights and activations; float32 as in the reference, or bfloat16 or float16
   * @throws BadInputException if the configuration is of another autoencoder or the weights do not
   *     fit it
   */
  public static HunyuanAutoencoder load(
      TensorFiles files, DType dtype, Device device, Parts parts) {
    return load(
        HunyuanAutoencoderConfig.of(ModelConfig.read(files.origin().resolve("config.json"))),
        files,
        dtype,
        device,
        parts);
  }

  /**
   * Loads weights of this shape.
   *
   * @param files under diffusers' names
   * @throws dev.gossamer.tensor.failure.BadInputException if they do not fit
   */
  public static HunyuanAutoencoder load(
      HunyuanAutoencoderConfig config, TensorFiles files, DType dtype, Device device, Parts parts) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters = Parameters.load(files, dtype, device, weights, name -> false);
      HunyuanAutoencoder autoencoder =
          new HunyuanAutoencoder(config, parameters, dtype, device, weights, parts);
      parameters.check();
      return autoencoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  /** Asks for every tensor of encoder and decoder, for looking at a checkpoint. */
  public static void inspect(HunyuanAutoencoderConfig config, Parameters parameters) {
    new HunyuanDecoder(config, parameters);
    new HunyuanEncoder(config, parameters);
  }

  public HunyuanAutoencoderConfig config() {
    return config;
  }

  /** Latent frames that are decoded at once. */
  static int latentsAtOnce(HunyuanAutoencoderConfig config) {
    return RUN / config.temporalRatio() + 1;
  }

  /** Latent frames from one run to the next. */
  static int latentStride(HunyuanAutoencoderConfig config) {
    return STRIDE / config.temporalRatio();
  }

  /**
   * Decodes latents and hands over the frames as they are ready; memory does not grow with their
   * number.
   *
   * @param latents {@code [B, z, f, h, w]}, divided by the scaling factor
   * @param tiling tiles of the picture, or none; its order does not matter here
   * @param sink takes {@code [B, 3, t, 8 h, 8 w]} in about -1..1 in this object's type, valid
   *     during the call; may throw to stop
   * @throws BadInputException if the latents have another shape
   */
  public void decode(Tensor latents, Tiling tiling, Consumer<Tensor> sink) {
    if (latents.dims() != 5 || latents.size(1) != config.latentChannels() || latents.count() == 0) {
      throw new BadInputException(
          "Cannot decode latents of shape " + Arrays.toString(latents.shape()),
          "Expected [batch, " + config.latentChannels() + ", frames, height, width]");
    }
    try (Scope scope = Scope.open()) {
      Tensor ready = latents.to(dtype).to(device);
      if (ready.size(2) < latentsAtOnce(config)) {
        sink.accept(decodeRun(ready, tiling));
      } else {
        inRuns(ready, tiling, sink);
      }
    }
  }

  private void inRuns(Tensor latents, Tiling tiling, Consumer<Tensor> sink) {
    long frames = latents.size(2);
    long left = (frames - 1) * config.temporalRatio() + 1;
    int stride = latentStride(config);
    int overlap = RUN - STRIDE;
    try (Scope scope = Scope.open()) {
      Tensor before = latents.narrow(2, 0, 0);
      for (long start = 0; left > 0; start += stride) {
        try (Scope run = Scope.open()) {
          long count = Math.min(latentsAtOnce(config), frames - start);
          Tensor decoded = decodeRun(latents.narrow(2, start, count), tiling);
          if (start > 0) {
            decoded = decoded.narrow(2, 1, decoded.size(2) - 1); // its first frame is only context
            TileGrid.blend(before, decoded, 2, overlap);
          }
          long own = Math.min(left, Math.min(decoded.size(2), start == 0 ? STRIDE + 1 : STRIDE));
          sink.accept(decoded.narrow(2, 0, own));
          left -= own;
          long kept = Math.min(overlap, decoded.size(2));
          before.close();
          before = scope.adopt(decoded.narrow(2, decoded.size(2) - kept, kept).copy());
        }
      }
    }
  }

  private Tensor decodeRun(Tensor latents, Tiling tiling) {
    long height = latents.size(3);
    long width = latents.size(4);
    int ratio = config.spatialRatio();
    if (!tiling.appliesTo(height * ratio, width * ratio)) {
      return decoder.decode(latents);
    }
    TileGrid grid = TileGrid.of(tiling, height, width, ratio);
    return grid.join(tile -> decoder.decode(grid.cut(latents, tile, 1)), ratio);
  }

  /**
   * Encodes frames.
   *
   * @param video {@code [B, 3, F, H, W]} in -1..1, H and W multiples of 8
   * @return moments {@code [B, 2 z, (F - 1) / 4 + 1, H / 8, W / 8]} in the weights' type: the mean,
   *     then the logarithm of the variance; the transformer's latents are times the scaling factor
   * @throws BadInputException if the video has another shape
   * @throws UsageException if the encoder was not loaded
   */
  public Tensor encode(Tensor video, Tiling tiling) {
    HunyuanEncoder loaded =
        encoder.orElseThrow(
            () ->
                new UsageException(
                    "Cannot encode: this autoencoder was loaded without its encoder",
                    "Load it with Parts.ENCODER_AND_DECODER"));
    int ratio = config.spatialRatio();
    if (video.dims() != 5
        || video.size(1) != 3
        || video.count() == 0
        || video.size(3) % ratio != 0
        || video.size(4) % ratio != 0) {
      throw new BadInputException(
          "Cannot encode a video of shape " + Arrays.toString(video.shape()),
          "Expected [batch, 3, frames, height, width], both multiples of " + ratio);
    }
    try (Scope scope = Scope.open()) {
      Tensor ready = video.to(dtype).to(device);
      return scope.keep(
          ready.size(2) > RUN
              ? encodeRuns(loaded, ready, tiling)
              : encodeRun(loaded, ready, tiling));
    }
  }

  private Tensor encodeRuns(HunyuanEncoder loaded, Tensor video, Tiling tiling) {
    long frames = video.size(2);
    int stride = latentStride(config);
    int overlap = RUN / config.temporalRatio() - stride;
    List<Tensor> parts = new ArrayList<>();
    Tensor before = video; // of no use to the first run
    for (long start = 0; start < frames; start += STRIDE) {
      long count = Math.min(RUN + 1, frames - start);
      Tensor moments = encodeRun(loaded, video.narrow(2, start, count), tiling);
      if (start > 0) {
        moments = moments.narrow(2, 1, moments.size(2) - 1); // its first frame is only context
        TileGrid.blend(before, moments, 2, overlap);
      }
      parts.add(moments.narrow(2, 0, Math.min(start == 0 ? stride + 1 : stride, moments.size(2))));
      before = moments;
    }
    return Tensor.cat(2, parts).narrow(2, 0, (frames - 1) / config.temporalRatio() + 1);
  }

  private Tensor encodeRun(HunyuanEncoder loaded, Tensor video, Tiling tiling) {
    if (!tiling.appliesTo(video.size(3), video.size(4))) {
      return loaded.encode(video);
    }
    int ratio = config.spatialRatio();
    TileGrid grid = TileGrid.of(tiling, video.size(3) / ratio, video.size(4) / ratio, ratio);
    return grid.join(tile -> loaded.encode(grid.cut(video, tile, ratio)), 1);
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
