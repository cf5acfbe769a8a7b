package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.autoencoder.TileGrid;
import dev.gossamer.video.autoencoder.Tiling;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * From latents to frames: the decoder of {@code AutoencoderKLHunyuanVideo}. A latent frame stands
 * for 8x8 pixels of four frames, the first for those of one.
 *
 * <p>As in the reference, more than four latent frames are decoded in overlapping runs of five, one
 * every three, whose frames are blended where they overlap. Tiles of the picture are blended within
 * each run. One call at a time; the weights belong to this object until it is closed.
 */
public final class HunyuanAutoencoder implements AutoCloseable {
  /** Frames of a run that stand alone, in frames of the video; the reference's. */
  private static final int RUN = 16;

  /** Frames from one run to the next, likewise. */
  private static final int STRIDE = 12;

  private final HunyuanAutoencoderConfig config;
  private final DType dtype;
  private final Device device;
  private final Scope weights;
  private final HunyuanDecoder decoder;

  private HunyuanAutoencoder(
      HunyuanAutoencoderConfig config,
      Parameters parameters,
      DType dtype,
      Device device,
      Scope weights) {
    this.config = config;
    this.dtype = dtype;
    this.device = device;
    this.weights = weights;
    this.decoder = new HunyuanDecoder(config, parameters);
    parameters.ignore(name -> !loads(name));
  }

  /** Whether a tensor of a checkpoint is loaded: the encoder is not. */
  static boolean loads(String name) {
    return !name.startsWith("encoder.") && !name.startsWith("quant_conv.");
  }

  /**
   * Loads the decoder of a folder {@code vae}.
   *
   * @param dtype of weights and activations; float32 as in the reference, or bfloat16 or float16
   * @throws BadInputException if the configuration is of another autoencoder or the weights do not
   *     fit it
   */
  public static HunyuanAutoencoder load(TensorFiles files, DType dtype, Device device) {
    return load(
        HunyuanAutoencoderConfig.of(ModelConfig.read(files.origin().resolve("config.json"))),
        files,
        dtype,
        device);
  }

  /**
   * Loads weights of this shape.
   *
   * @param files under diffusers' names
   * @throws dev.gossamer.tensor.failure.BadInputException if they do not fit
   */
  public static HunyuanAutoencoder load(
      HunyuanAutoencoderConfig config, TensorFiles files, DType dtype, Device device) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters = Parameters.load(files, dtype, device, weights, name -> false);
      HunyuanAutoencoder autoencoder =
          new HunyuanAutoencoder(config, parameters, dtype, device, weights);
      parameters.check();
      return autoencoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  /** Asks for every tensor of the decoder, for looking at a checkpoint. */
  public static void inspect(HunyuanAutoencoderConfig config, Parameters parameters) {
    new HunyuanDecoder(config, parameters);
    parameters.ignore(name -> !loads(name));
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

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
