package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.VideoFamily;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.schedulers.Scheduler;
import dev.gossamer.video.text.T5Config;
import dev.gossamer.video.text.T5Encoder;
import java.util.List;
import java.util.function.Consumer;

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
      return TensorFiles.in(checkpoint.component(component));
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
    WanTransformerConfig transformer =
        WanTransformerConfig.of(config(checkpoint, TRANSFORMER, "config.json"));
    T5Config text = T5Config.read(config(checkpoint, TEXT_ENCODER, "config.json"));
    WanAutoencoderConfig autoencoder =
        WanAutoencoderConfig.of(config(checkpoint, VAE, "config.json"));
    agree(checkpoint, "text_dim", transformer.textDim(), "d_model", text.width());
    agree(
        checkpoint, "in_channels", transformer.inChannels(), "z_dim", autoencoder.latentChannels());
    return new Configs(
        checkpoint,
        text,
        transformer,
        autoencoder,
        Scheduler.read(config(checkpoint, "scheduler", "scheduler_config.json")));
  }

  private static ModelConfig config(Checkpoint checkpoint, String component, String file) {
    return ModelConfig.read(checkpoint.component(component).resolve(file));
  }

  private static void agree(Checkpoint checkpoint, String of, int wanted, String by, int found) {
    if (wanted != found) {
      throw new BadInputException(
          "Cannot open the model "
              + checkpoint.folder()
              + ": its transformer wants "
              + of
              + " "
              + wanted
              + ", but "
              + by
              + " is "
              + found,
          "Are its parts of one model?");
    }
  }

  @Override
  public List<ComponentInspection> inspect(Checkpoint checkpoint) {
    Configs configs = configs(checkpoint);
    return List.of(
        inspect(
            configs,
            TEXT_ENCODER,
            parameters -> new T5Encoder(configs.text(), parameters, Scope.detached()).close()),
        inspect(
            configs,
            TRANSFORMER,
            parameters -> WanTransformer.of(configs.transformer(), parameters).close()),
        inspect(
            configs, VAE, parameters -> WanAutoencoder.inspect(configs.autoencoder(), parameters)));
  }

  private static ComponentInspection inspect(
      Configs configs, String component, Consumer<Parameters> model) {
    TensorFiles files = configs.files(component);
    try (Scope scope = Scope.open();
        Scope weights = Scope.detached()) {
      Parameters parameters = Parameters.inspect(files, weights);
      model.accept(parameters);
      return ComponentInspection.of(
          component, configs.checkpoint().componentClass(component), files, parameters.problems());
    }
  }

  /** The transformer of a checkpoint, as a video needs it. */
  static WanTransformer transformer(Configs configs, DType dtype, Device device) {
    return WanTransformer.load(configs.files(TRANSFORMER), dtype, device);
  }
}
