package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.VideoFamily;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.schedulers.Scheduler;
import dev.gossamer.video.text.T5Config;
import dev.gossamer.video.text.T5Encoder;
import java.util.List;

/**
 * Wan 2.1 text-to-video, all sizes: UMT5 text encoder, {@link WanTransformer}, UniPC or flow-match
 * Euler, {@link WanAutoencoder}. Diffusers' {@code WanPipeline}.
 */
public final class WanFamily implements VideoFamily {
  private static final String ONLY = "This build runs Wan 2.1 text-to-video checkpoints only";

  static final String TEXT_ENCODER = "text_encoder";
  static final String TRANSFORMER = "transformer";
  static final String VAE = "vae";

  @Override
  public String name() {
    return "Wan 2.1 text-to-video";
  }

  @Override
  public String pipeline() {
    return "WanPipeline";
  }

  @Override
  public VideoModel open(Checkpoint checkpoint, ModelOptions options, Threads threads) {
    return new WanModel(configs(checkpoint), options, threads);
  }

  /**
   * What the parts of a checkpoint say they are.
   *
   * @param checkpoint the folder
   * @param text of the text encoder
   * @param transformer of the transformer
   * @param autoencoder of the autoencoder
   * @param scheduler of the scheduler
   */
  record Configs(
      Checkpoint checkpoint,
      T5Config text,
      WanTransformerConfig transformer,
      WanAutoencoderConfig autoencoder,
      Scheduler scheduler) {
    TensorFiles files(String component) {
      return checkpoint.files(component);
    }
  }

  private static Configs configs(Checkpoint checkpoint) {
    ModelConfig index = checkpoint.index();
    index.require(!index.has("boundary_ratio"), "boundary_ratio", "That is Wan 2.2. " + ONLY);
    index.require(
        !index.flag("expand_timesteps", false), "expand_timesteps", "That is Wan 2.2. " + ONLY);
    for (String unknown : List.of("transformer_2", "image_encoder")) {
      index.require(!checkpoint.has(unknown), unknown, ONLY);
    }
    checkpoint.component("tokenizer");
    checkpoint.requireClass(TEXT_ENCODER, "UMT5EncoderModel");
    checkpoint.requireClass(TRANSFORMER, "WanTransformer3DModel");
    checkpoint.requireClass(VAE, "AutoencoderKLWan");
    WanTransformerConfig transformer =
        WanTransformerConfig.of(checkpoint.config(TRANSFORMER, "config.json"));
    T5Config text = T5Config.read(checkpoint.config(TEXT_ENCODER, "config.json"));
    WanAutoencoderConfig autoencoder =
        WanAutoencoderConfig.of(checkpoint.config(VAE, "config.json"));
    checkpoint.agree("text_dim", transformer.textDim(), "d_model", text.width());
    checkpoint.agree(
        "in_channels", transformer.inChannels(), "z_dim", autoencoder.latentChannels());
    return new Configs(
        checkpoint,
        text,
        transformer,
        autoencoder,
        Scheduler.read(checkpoint.config("scheduler", "scheduler_config.json")));
  }

  @Override
  public List<Component> components(Checkpoint checkpoint) {
    Configs configs = configs(checkpoint);
    return List.of(
        new Component(
            TEXT_ENCODER,
            parameters -> new T5Encoder(configs.text(), parameters, Scope.detached()).close()),
        new Component(
            TRANSFORMER,
            parameters -> WanTransformer.of(configs.transformer(), parameters).close()),
        new Component(
            VAE, parameters -> WanAutoencoder.inspect(configs.autoencoder(), parameters)));
  }

  /** The transformer of a checkpoint, as a video needs it. */
  static WanTransformer transformer(Configs configs, DType dtype, Device device) {
    return WanTransformer.load(configs.files(TRANSFORMER), dtype, device);
  }
}
