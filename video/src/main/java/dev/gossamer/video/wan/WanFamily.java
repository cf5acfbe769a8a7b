package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.VideoFamily;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.schedulers.Scheduler;
import dev.gossamer.video.text.ClipVisionEncoder;
import dev.gossamer.video.text.T5Config;
import dev.gossamer.video.text.T5Encoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Wan 2.1 text-to-video and image-to-video, all sizes: UMT5 text encoder, {@link WanTransformer},
 * UniPC or flow-match Euler, {@link WanAutoencoder}, and CLIP's vision encoder for images.
 * Diffusers' {@code WanPipeline} and {@code WanImageToVideoPipeline}.
 */
public final class WanFamily implements VideoFamily {
  private static final String ONLY =
      "This build runs Wan 2.1 text-to-video and image-to-video checkpoints only";

  static final String TEXT_TO_VIDEO = "WanPipeline";
  static final String IMAGE_TO_VIDEO = "WanImageToVideoPipeline";

  static final String TOKENIZER = "tokenizer";
  static final String TEXT_ENCODER = "text_encoder";
  static final String TRANSFORMER = "transformer";
  static final String VAE = "vae";
  static final String IMAGE_ENCODER = "image_encoder";
  static final String IMAGE_PROCESSOR = "image_processor";

  @Override
  public String name() {
    return "Wan 2.1 text-to-video and image-to-video";
  }

  @Override
  public String pipeline() {
    return TEXT_TO_VIDEO;
  }

  @Override
  public boolean runs(String pipelineClass) {
    return pipelineClass.equals(TEXT_TO_VIDEO) || pipelineClass.equals(IMAGE_TO_VIDEO);
  }

  @Override
  public Optional<LooseFiles> looseFiles() {
    return Optional.of(new WanLooseFiles());
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
   * @param image of what reads an image, in image-to-video
   */
  record Configs(
      Checkpoint checkpoint,
      T5Config text,
      WanTransformerConfig transformer,
      WanAutoencoderConfig autoencoder,
      Scheduler scheduler,
      Optional<WanImage.Configs> image) {
    TensorFiles files(String component) {
      return checkpoint.files(component);
    }
  }

  private static Configs configs(Checkpoint checkpoint) {
    ModelConfig index = checkpoint.index();
    index.require(!index.has("boundary_ratio"), "boundary_ratio", "That is Wan 2.2. " + ONLY);
    index.require(
        !index.flag("expand_timesteps", false), "expand_timesteps", "That is Wan 2.2. " + ONLY);
    index.require(!checkpoint.has("transformer_2"), "transformer_2", "That is Wan 2.2. " + ONLY);
    checkpoint.component(TOKENIZER);
    checkpoint.requireClass(TEXT_ENCODER, "UMT5EncoderModel");
    checkpoint.requireClass(TRANSFORMER, "WanTransformer3DModel");
    checkpoint.requireClass(VAE, "AutoencoderKLWan");
    WanTransformerConfig transformer =
        WanTransformerConfig.of(checkpoint.config(TRANSFORMER, "config.json"));
    T5Config text = T5Config.read(checkpoint.config(TEXT_ENCODER, "config.json"));
    WanAutoencoderConfig autoencoder =
        WanAutoencoderConfig.of(checkpoint.config(VAE, "config.json"));
    checkpoint.agree("text_dim", transformer.textDim(), "d_model", text.width());
    boolean sees = checkpoint.pipeline().equals(IMAGE_TO_VIDEO);
    index.require(
        transformer.seesImage() == sees,
        "_class_name",
        "Its transformer is one of "
            + (sees ? "text-to-video, or of Wan 2.2. " : "image-to-video. ")
            + ONLY);
    checkpoint.agree(
        "out_channels", transformer.outChannels(), "z_dim", autoencoder.latentChannels());
    Optional<WanImage.Configs> image =
        sees ? Optional.of(WanImage.configs(checkpoint)) : Optional.empty();
    if (sees) {
      checkpoint.agree("image_dim", transformer.imageWidth(), "hidden_size", image.get().width());
      checkpoint.agree(
          "in_channels",
          transformer.inChannels(),
          "twice z_dim and the frames of a latent",
          2 * autoencoder.latentChannels() + autoencoder.temporalRatio());
    }
    return new Configs(
        checkpoint,
        text,
        transformer,
        autoencoder,
        Scheduler.read(checkpoint.config("scheduler", "scheduler_config.json")),
        image);
  }

  @Override
  public List<Component> components(Checkpoint checkpoint) {
    Configs configs = configs(checkpoint);
    List<Component> all = new ArrayList<>();
    configs
        .image()
        .ifPresent(
            image ->
                all.add(
                    new Component(
                        IMAGE_ENCODER,
                        parameters ->
                            new ClipVisionEncoder(image.encoder(), parameters, Scope.detached())
                                .close())));
    all.addAll(textToVideo(configs));
    return all;
  }

  private static List<Component> textToVideo(Configs configs) {
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
  static WanTransformer transformer(Configs configs, ModelOptions options) {
    return WanTransformer.load(
        configs.transformer(),
        configs.files(TRANSFORMER),
        options.dtype(),
        options.device(),
        options.offload().stay());
  }
}
