package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
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
import java.util.Optional;

/**
 * Between frames and latents: {@code AutoencoderKLCogVideoX}. A latent frame stands for 8x8 pixels
 * of four frames, the first of an odd number for those of one.
 *
 * <p>Both directions go chunk by chunk as in the reference, whose normalisations see one chunk at a
 * time: two latent frames, three in the first of an odd number; eight frames, and what is left over
 * in the first. One call at a time; the weights belong to this object until it is closed.
 */
public final class CogVideoXAutoencoder implements AutoCloseable {
  private static final int LATENTS = 2; // of a chunk
  private static final int FRAMES = 8; // of a chunk

  /** What to load. */
  public enum Parts {
    ENCODER_AND_DECODER,
    DECODER
  }

  private final CogVideoXAutoencoderConfig config;
  private final DType dtype;
  private final Device device;
  private final Scope weights;
  private final CogVideoXCoder decoder;
  private final Optional<CogVideoXCoder> encoder;

  private CogVideoXAutoencoder(
      CogVideoXAutoencoderConfig config,
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
    this.decoder = CogVideoXCoder.decoder(config, parameters, bands);
    if (parts == Parts.ENCODER_AND_DECODER) {
      this.encoder = Optional.of(CogVideoXCoder.encoder(config, parameters, bands));
    } else {
      this.encoder = Optional.empty();
      parameters.ignore(name -> name.startsWith("encoder."));
    }
  }

  /**
   * Loads the weights of a folder {@code vae}.
   *
   * @param dtype type of the weights and most activations; norms and the last convolution are
   *     float32 always
   * @param threads of the caller, which closes them after this object
   * @throws BadInputException if the configuration is of another model or the weights do not fit it
   */
  public static CogVideoXAutoencoder load(
      TensorFiles files, DType dtype, Device device, Parts parts, Threads threads) {
    return load(
        CogVideoXAutoencoderConfig.of(ModelConfig.read(files.origin().resolve("config.json"))),
        files,
        dtype,
        device,
        parts,
        threads);
  }

  /**
   * Loads weights of this shape.
   *
   * @param files under diffusers' names
   * @throws dev.gossamer.tensor.failure.BadInputException if they do not fit
   */
  public static CogVideoXAutoencoder load(
      CogVideoXAutoencoderConfig config,
      TensorFiles files,
      DType dtype,
      Device device,
      Parts parts,
      Threads threads) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters =
          Parameters.load(
              files,
              dtype,
              device,
              weights,
              name -> name.contains("norm") || name.startsWith("decoder.conv_out."));
      CogVideoXAutoencoder autoencoder =
          new CogVideoXAutoencoder(config, parameters, dtype, device, weights, parts, threads);
      parameters.check();
      return autoencoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  /** Asks for every tensor of encoder and decoder, for looking at a checkpoint. */
  public static void inspect(CogVideoXAutoencoderConfig config, Parameters parameters) {
    try (Threads one = new Threads(1)) {
      RowBands bands = new RowBands(one);
      CogVideoXCoder.decoder(config, parameters, bands);
      CogVideoXCoder.encoder(config, parameters, bands);
    }
  }

  public CogVideoXAutoencoderConfig config() {
    return config;
  }

  /**
   * Decodes latents and hands over the frames as they are ready.
   *
   * @param latents [B, z, f, h, w], divided by the scaling factor
   * @param sink takes [B, 3, t, H, W] float32, not clamped
   * @throws BadInputException if the latents have another shape
   * @throws dev.gossamer.tensor.failure.InterruptedRunException if cancelled
   */
  public void decode(Tensor latents, CodecOptions options, ChunkSink sink) {
    if (latents.dims() != 5 || latents.size(1) != config.latentChannels() || latents.count() == 0) {
      throw new BadInputException(
          "Cannot decode latents of shape " + Arrays.toString(latents.shape()),
          "Expected [batch, " + config.latentChannels() + ", frames, height / 8, width / 8]");
    }
    long frames = latents.size(2);
    Chunks plan = Chunks.of(Math.min(frames, LATENTS + frames % LATENTS), LATENTS, frames);
    try (Scope scope = Scope.open()) {
      Tensor ready = latents.to(dtype).to(device);
      new DecodePass(decoder::apply, plan, config.spatialRatio(), options, sink).run(ready);
    }
  }

  /** Decodes latents to all frames at once: [B, 3, F, H, W] float32 on the device. */
  public Tensor decode(Tensor latents, CodecOptions options) {
    try (Scope scope = Scope.open()) {
      List<Tensor> chunks = new ArrayList<>();
      decode(latents, options, frames -> chunks.add(scope.adopt(frames)));
      return scope.keep(Tensor.cat(2, chunks));
    }
  }

  /**
   * Encodes frames.
   *
   * @param video [B, 3, F, H, W] in [-1, 1], H and W multiples of 8
   * @return moments [B, 2 z, f, H / 8, W / 8] in the weights' type: the mean, then the logarithm of
   *     the variance
   * @throws BadInputException if the video has another shape
   * @throws UsageException if the encoder was not loaded
   * @throws dev.gossamer.tensor.failure.InterruptedRunException if cancelled
   */
  public Tensor encode(Tensor video, CodecOptions options) {
    CogVideoXCoder loaded =
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
    long frames = video.size(2);
    Chunks plan = Chunks.of(Math.min(frames, FRAMES + frames % FRAMES), FRAMES, frames);
    try (Scope scope = Scope.open()) {
      Tensor ready = video.to(dtype).to(device);
      return scope.keep(new EncodePass(loaded::apply, plan, ratio, options).run(ready));
    }
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
