package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.VideoFamily;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.schedulers.FlowMatchEuler;
import dev.gossamer.video.schedulers.Scheduler;
import dev.gossamer.video.text.ClipTextConfig;
import dev.gossamer.video.text.ClipTextEncoder;
import dev.gossamer.video.text.LlamaConfig;
import dev.gossamer.video.text.LlamaEncoder;
import java.util.List;
import java.util.Optional;

/**
 * HunyuanVideo text-to-video: Llama and CLIP text encoders, {@link HunyuanTransformer}, flow-match
 * Euler, {@link HunyuanAutoencoder}. Diffusers' {@code HunyuanVideoPipeline}.
 */
public final class HunyuanFamily implements VideoFamily {
  static final String PIPELINE = "HunyuanVideoPipeline";

  static final String LLAMA = "text_encoder";
  static final String LLAMA_TOKENIZER = "tokenizer";
  static final String CLIP = "text_encoder_2";
  static final String CLIP_TOKENIZER = "tokenizer_2";
  static final String TRANSFORMER = "transformer";
  static final String VAE = "vae";

  private final PromptTemplate template;

  public HunyuanFamily() {
    this(PromptTemplate.RELEASED);
  }

  HunyuanFamily(PromptTemplate template) {
    this.template = template;
  }

  @Override
  public String name() {
    return "HunyuanVideo text-to-video";
  }

  @Override
  public String pipeline() {
    return PIPELINE;
  }

  @Override
  public Optional<LooseFiles> looseFiles() {
    return Optional.of(new HunyuanLooseFiles());
  }

  /**
   * What the parts of a checkpoint say they are.
   *
   * @param checkpoint the folder
   * @param llama of the text encoder that gives rows
   * @param clip of the one that gives a vector
   * @param transformer of the transformer
   * @param autoencoder of the autoencoder
   * @param scheduler of the scheduler
   */
  record Configs(
      Checkpoint checkpoint,
      LlamaConfig llama,
      ClipTextConfig clip,
      HunyuanTransformerConfig transformer,
      HunyuanAutoencoderConfig autoencoder,
      FlowMatchEuler scheduler) {
    TensorFiles files(String component) {
      return checkpoint.files(component);
    }
  }

  private static Configs configs(Checkpoint checkpoint) {
    checkpoint.component(LLAMA_TOKENIZER);
    checkpoint.component(CLIP_TOKENIZER);
    checkpoint.requireClass(LLAMA, "LlamaModel");
    checkpoint.requireClass(CLIP, "CLIPTextModel");
    checkpoint.requireClass(TRANSFORMER, "HunyuanVideoTransformer3DModel");
    checkpoint.requireClass(VAE, "AutoencoderKLHunyuanVideo");
    HunyuanTransformerConfig transformer =
        HunyuanTransformerConfig.of(checkpoint.config(TRANSFORMER, "config.json"));
    LlamaConfig llama = LlamaConfig.read(checkpoint.config(LLAMA, "config.json"));
    ClipTextConfig clip = ClipTextConfig.read(checkpoint.config(CLIP, "config.json"));
    HunyuanAutoencoderConfig autoencoder =
        HunyuanAutoencoderConfig.of(checkpoint.config(VAE, "config.json"));
    checkpoint.agree("text_embed_dim", transformer.textDim(), "hidden_size", llama.width());
    checkpoint.agree(
        "pooled_projection_dim", transformer.pooledDim(), "CLIP's hidden_size", clip.width());
    checkpoint.agree(
        "in_channels", transformer.channels(), "latent_channels", autoencoder.latentChannels());
    return new Configs(checkpoint, llama, clip, transformer, autoencoder, scheduler(checkpoint));
  }

  private static FlowMatchEuler scheduler(Checkpoint checkpoint) {
    ModelConfig config = checkpoint.config("scheduler", "scheduler_config.json");
    Scheduler scheduler = Scheduler.read(config);
    config.require(
        scheduler instanceof FlowMatchEuler,
        "_class_name",
        "HunyuanVideo is sampled with FlowMatchEulerDiscreteScheduler");
    return (FlowMatchEuler) scheduler;
  }

  @Override
  public VideoModel open(Checkpoint checkpoint, ModelOptions options, Threads threads) {
    return new HunyuanModel(configs(checkpoint), template, options);
  }

  @Override
  public List<Component> components(Checkpoint checkpoint) {
    Configs configs = configs(checkpoint);
    return List.of(
        new Component(
            LLAMA,
            parameters -> new LlamaEncoder(configs.llama(), parameters, Scope.detached()).close()),
        new Component(
            CLIP,
            parameters ->
                new ClipTextEncoder(configs.clip(), parameters, Scope.detached()).close()),
        new Component(
            TRANSFORMER,
            parameters -> HunyuanTransformer.of(configs.transformer(), parameters).close()),
        new Component(
            VAE, parameters -> HunyuanAutoencoder.inspect(configs.autoencoder(), parameters)));
  }
}
