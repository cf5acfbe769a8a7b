package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.VideoFamily;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.schedulers.CogVideoXDdim;
import dev.gossamer.video.schedulers.CogVideoXDpm;
import dev.gossamer.video.schedulers.Scheduler;
import dev.gossamer.video.text.T5Config;
import dev.gossamer.video.text.T5Encoder;
import java.util.List;
import java.util.Optional;

/**
 * CogVideoX text-to-video, 2B, 5B and 1.5-5B: T5 text encoder, {@link CogVideoXTransformer}, DDIM
 * or DPM, {@link CogVideoXAutoencoder}. Diffusers' {@code CogVideoXPipeline}.
 */
public final class CogVideoXFamily implements VideoFamily {
  static final String PIPELINE = "CogVideoXPipeline";

  static final String TOKENIZER = "tokenizer";
  static final String TEXT_ENCODER = "text_encoder";
  static final String TRANSFORMER = "transformer";
  static final String VAE = "vae";

  @Override
  public String name() {
    return "CogVideoX text-to-video";
  }

  @Override
  public String pipeline() {
    return PIPELINE;
  }

  @Override
  public Optional<LooseFiles> looseFiles() {
    return Optional.of(new CogVideoXLooseFiles());
  }

  @Override
  public VideoModel open(Checkpoint checkpoint, ModelOptions options, Threads threads) {
    return new CogVideoXModel(configs(checkpoint), options, threads);
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
      CogVideoXTransformerConfig transformer,
      CogVideoXAutoencoderConfig autoencoder,
      Scheduler scheduler) {
    TensorFiles files(String component) {
      return checkpoint.files(component);
    }
  }

  private static Configs configs(Checkpoint checkpoint) {
    checkpoint.component(TOKENIZER);
    checkpoint.requireClass(TEXT_ENCODER, "T5EncoderModel");
    checkpoint.requireClass(TRANSFORMER, "CogVideoXTransformer3DModel");
    checkpoint.requireClass(VAE, "AutoencoderKLCogVideoX");
    CogVideoXTransformerConfig transformer =
        CogVideoXTransformerConfig.of(checkpoint.config(TRANSFORMER, "config.json"));
    T5Config text = T5Config.read(checkpoint.config(TEXT_ENCODER, "config.json"));
    CogVideoXAutoencoderConfig autoencoder =
        CogVideoXAutoencoderConfig.of(checkpoint.config(VAE, "config.json"));
    checkpoint.agree("text_embed_dim", transformer.textDim(), "d_model", text.width());
    checkpoint.agree(
        "in_channels", transformer.channels(), "latent_channels", autoencoder.latentChannels());
    ModelConfig levels = checkpoint.config("scheduler", "scheduler_config.json");
    Scheduler scheduler = Scheduler.read(levels);
    if (!(scheduler instanceof CogVideoXDdim || scheduler instanceof CogVideoXDpm)) {
      throw new BadInputException(
          "Cannot use " + levels.path() + ": a flow's scheduler does not fit a model of v",
          "Use CogVideoXDDIMScheduler or CogVideoXDPMScheduler");
    }
    return new Configs(checkpoint, text, transformer, autoencoder, scheduler);
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
            parameters -> CogVideoXTransformer.of(configs.transformer(), parameters).close()),
        new Component(
            VAE, parameters -> CogVideoXAutoencoder.inspect(configs.autoencoder(), parameters)));
  }
}
