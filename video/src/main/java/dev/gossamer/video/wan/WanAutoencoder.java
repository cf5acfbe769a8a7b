package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.autoencoder.ChunkSink;
import dev.gossamer.video.autoencoder.Chunks;
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.autoencoder.DecodePass;
import dev.gossamer.video.autoencoder.EncodePass;
import dev.gossamer.video.autoencoder.RowBands;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * Between frames and latents: {@code AutoencoderKLWan} of Wan 2.1. A latent frame stands for 8x8
 * pixels of four frames, the first for those of one.
 *
 * <p>Both directions go chunk by chunk, one latent frame each, with the result of doing the whole
 * video at once. One call at a time; the weights belong to this object until it is closed.
 */
public final class WanAutoencoder implements AutoCloseable {
  /** What to load. */
  public enum Parts {
    ENCODER_AND_DECODER,
    DECODER
  }

  private final WanAutoencoderConfig config;
  private final DType dtype;
  private final Device device;
  private final Scope weights;
  private final WanDecoder decoder;
  private final Supplier<WanEncoder> encoder;

  private WanAutoencoder(
      WanAutoencoderConfig config,
      Parameters parameters,
      DType dtype,
      Device device,
      Scope weights,
      Parts parts,
      Threads threads) {
    this.config = config;
    this.dtype = dtype;
    this.device = device;
    this.weights = weights;
    RowBands bands = new RowBands(threads);
    this.decoder = new WanDecoder(config, parameters, bands);
    if (parts == Parts.ENCODER_AND_DECODER) {
      WanEncoder loaded = new WanEncoder(config, parameters, bands);
      this.encoder = () -> loaded;
    } else {
      parameters.ignore(name -> name.startsWith("encoder.") || name.startsWith("quant_conv."));
      this.encoder =
          () -> {
            throw new UsageException(
                "Cannot encode: this autoencoder was loaded without its encoder",
                "Load it with Parts.ENCODER_AND_DECODER");
          };
    }
  }

  /**
   * Loads the weights of a folder {@code vae}.
   *
   * @param dtype type of the weights and most activations; float32 as in the reference, or bfloat16
   *     or float16. Norms, the attention on a processor and the last convolution are float32 always
   * @param threads of the caller, which closes them after this object
   * @throws BadInputException if the weights do not fit the configuration
   */
  public static WanAutoencoder load(
      TensorFiles files,
      WanAutoencoderConfig config,
      DType dtype,
      Device device,
      Parts parts,
      Threads threads) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters =
          Parameters.load(files, dtype, device, weights, WanAutoencoder::staysFloat32);
      WanAutoencoder autoencoder =
          new WanAutoencoder(config, parameters, dtype, device, weights, parts, threads);
      parameters.check();
      return autoencoder;
    } catch (RuntimeException e) {
      weights.close();
      throw e;
    }
  }

  private static boolean staysFloat32(String name) {
    return name.endsWith(".gamma") || name.startsWith("decoder.conv_out.");
  }

  /**
   * Asks for every tensor of encoder and decoder by name and shape, and builds nothing that could
   * run: for looking at a checkpoint.
   */
  public static void inspect(WanAutoencoderConfig config, Parameters parameters) {
    try (Threads one = new Threads(1)) {
      RowBands bands = new RowBands(one);
      new WanDecoder(config, parameters, bands);
      new WanEncoder(config, parameters, bands);
    }
  }

  public WanAutoencoderConfig config() {
    return config;
  }

  WanDecoder decoder() {
    return decoder;
  }

  /** (latents - mean) / deviation per channel: what the transformer works on. [B, z, f, h, w]. */
  public Tensor normalise(Tensor latents) {
    try (Scope scope = Scope.open()) {
      return scope.keep(
          latents
              .sub(perChannel(config.mean(), latents))
              .div(perChannel(config.deviation(), latents)));
    }
  }

  /** latents * deviation + mean per channel: what {@link #decode} wants. [B, z, f, h, w]. */
  public Tensor denormalise(Tensor latents) {
    try (Scope scope = Scope.open()) {
      return scope.keep(
          latents
              .mul(perChannel(config.deviation(), latents))
              .add(perChannel(config.mean(), latents)));
    }
  }

  private static Tensor perChannel(List<Double> values, Tensor like) {
    double[] array = values.stream().mapToDouble(Double::doubleValue).toArray();
    return Tensor.of(array, 1, array.length, 1, 1, 1).to(like.dtype()).to(like.device());
  }

  /**
   * Decodes latents and hands over the frames as they are ready: one for the first latent frame,
   * then four for each. Memory does not grow with the number of frames, except with tiles in the
   * order {@link Tiling.Order#BY_TILE}.
   *
   * @param latents [B, z, f, h, w], {@link #denormalise denormalised}
   * @throws BadInputException if the latents have another shape
   * @throws dev.gossamer.tensor.failure.InterruptedRunException if cancelled
   */
  public void decode(Tensor latents, CodecOptions options, ChunkSink sink) {
    if (latents.dims() != 5 || latents.size(1) != config.latentChannels() || latents.count() == 0) {
      throw new BadInputException(
          "Cannot decode latents of shape " + Arrays.toString(latents.shape()),
          "Expected [batch, " + config.latentChannels() + ", frames, height / 8, width / 8]");
    }
    try (Scope scope = Scope.open()) {
      Tensor ready = latents.to(dtype).to(device);
      ChunkSink clamping = frames -> sink.accept(frames.clampInPlace(-1, 1));
      Chunks plan = Chunks.of(1, 1, ready.size(2));
      new DecodePass(decoder::decode, plan, config.spatialRatio(), options, clamping).run(ready);
    }
  }

  /**
   * Decodes latents [B, z, f, h, w] to all frames at once.
   *
   * @return [B, 3, 4 (f - 1) + 1, 8 h, 8 w] float32 in [-1, 1], on the device
   */
  public Tensor decode(Tensor latents, CodecOptions options) {
    try (Scope scope = Scope.open()) {
      List<Tensor> chunks = new ArrayList<>();
      decode(latents, options, frames -> chunks.add(scope.adopt(frames)));
      return scope.keep(Tensor.cat(2, chunks));
    }
  }

  /**
   * Encodes frames. Those that do not fill a last group of four are left out.
   *
   * @param video [B, 3, F, H, W] in [-1, 1], H and W multiples of 8
   * @return moments [B, 2 z, (F - 1) / 4 + 1, H / 8, W / 8] in the weights' type: the mean, then
   *     the logarithm of the variance
   * @throws BadInputException if the video has another shape
   * @throws UsageException if the encoder was not loaded
   * @throws dev.gossamer.tensor.failure.InterruptedRunException if cancelled
   */
  public Tensor encode(Tensor video, CodecOptions options) {
    WanEncoder loaded = encoder.get();
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
      EncodePass pass =
          new EncodePass(
              loaded::encode, Chunks.of(1, config.temporalRatio(), ready.size(2)), ratio, options);
      return scope.keep(pass.run(ready));
    }
  }

  /** The most likely latents of {@link #encode}'s moments, their mean: a view [B, z, f, h, w]. */
  public static Tensor mode(Tensor moments) {
    return moments.narrow(1, 0, moments.size(1) / 2);
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
