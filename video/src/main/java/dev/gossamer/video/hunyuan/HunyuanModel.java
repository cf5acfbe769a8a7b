package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.CostPlan;
import dev.gossamer.video.Denoiser;
import dev.gossamer.video.FrameSink;
import dev.gossamer.video.LoadedOnDemand;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.PromptEncoding;
import dev.gossamer.video.Tiles;
import dev.gossamer.video.VideoDefaults;
import dev.gossamer.video.VideoGeometry;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoPart;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.autoencoder.Pixels;
import dev.gossamer.video.autoencoder.Tiling;
import dev.gossamer.video.schedulers.FlowMatchEuler;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.text.LlamaEncoder;
import dev.gossamer.video.text.TokenIds;
import dev.gossamer.video.text.Tokenizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A HunyuanVideo text-to-video checkpoint at work: the steps of diffusers' {@code
 * HunyuanVideoPipeline}.
 *
 * <p>The guidance is an input of the transformer, so that a step is one pass; there is no pass for
 * a negative prompt. Latents are float32 between steps. The autoencoder has its own type.
 */
final class HunyuanModel implements VideoModel {
  private static final int FRAMES_PER_SECOND = 24;

  /** Checkpoints narrower than this are small ones for trying out: the released model has 3072. */
  private static final int SMALL = 1024;

  private static final VideoDefaults SMALL_DEFAULTS =
      new VideoDefaults(33, 256, 256, 20, 6, FRAMES_PER_SECOND);
  private static final VideoDefaults RELEASED_DEFAULTS =
      new VideoDefaults(129, 1280, 720, 50, 6, FRAMES_PER_SECOND);

  /** Rows of a token that are held at once, those of a clustered attention included. */
  private static final int ROWS_AT_WORK = 14;

  private final HunyuanFamily.Configs configs;
  private final PromptTemplate template;
  private final ModelOptions options;
  private final LoadedOnDemand<Tokenizer> tokenizer;
  private final LoadedOnDemand<HunyuanText> text;
  private final LoadedOnDemand<HunyuanTransformer> transformer;
  private final LoadedOnDemand<HunyuanAutoencoder> autoencoder;
  private final Map<String, TokenIds> lastPrompt = new LinkedHashMap<>(); // one at most

  HunyuanModel(HunyuanFamily.Configs configs, PromptTemplate template, ModelOptions options) {
    this.configs = configs;
    this.template = template;
    this.options = options;
    this.tokenizer =
        new LoadedOnDemand<>(() -> configs.checkpoint().tokenizer(HunyuanFamily.LLAMA_TOKENIZER));
    this.text =
        new LoadedOnDemand<>(() -> HunyuanText.open(configs, options.dtype(), options.device()));
    this.transformer =
        new LoadedOnDemand<>(
            () ->
                HunyuanTransformer.load(
                    configs.transformer(),
                    configs.checkpoint().files(HunyuanFamily.TRANSFORMER),
                    options.dtype(),
                    options.device()));
    this.autoencoder =
        new LoadedOnDemand<>(
            () ->
                HunyuanAutoencoder.load(
                    configs.autoencoder(),
                    configs.checkpoint().files(HunyuanFamily.VAE),
                    options.decoderDtype(),
                    options.device()));
  }

  @Override
  public LoadedOnDemand<?> part(VideoPart part) {
    return switch (part) {
      case TEXT -> text;
      case TRANSFORMER -> transformer;
      case DECODER -> autoencoder;
    };
  }

  @Override
  public String name() {
    HunyuanTransformerConfig shape = configs.transformer();
    return "HunyuanVideo text-to-video, "
        + shape.dualLayers()
        + " + "
        + shape.singleLayers()
        + " layers of "
        + shape.heads()
        + " heads of "
        + shape.headDim();
  }

  @Override
  public VideoDefaults defaults() {
    return configs.transformer().width() < SMALL ? SMALL_DEFAULTS : RELEASED_DEFAULTS;
  }

  @Override
  public VideoGeometry geometry() {
    HunyuanTransformerConfig shape = configs.transformer();
    int ratio = configs.autoencoder().spatialRatio();
    int multiple = ratio * shape.patch();
    return new VideoGeometry(
        configs.autoencoder().temporalRatio(),
        ratio,
        multiple,
        HunyuanTransformerConfig.LONGEST_AXIS * shape.patchFrames(),
        HunyuanTransformerConfig.LONGEST_AXIS * multiple);
  }

  @Override
  public int attentionLayers() {
    return configs.transformer().layers();
  }

  @Override
  public Map<String, Object> settings() {
    return configs.scheduler().report();
  }

  @Override
  public List<Path> weightFiles() {
    return configs
        .checkpoint()
        .weightFiles(
            HunyuanFamily.LLAMA, HunyuanFamily.CLIP, HunyuanFamily.TRANSFORMER, HunyuanFamily.VAE);
  }

  @Override
  public CostPlan cost(VideoRequest request) {
    HunyuanTransformerConfig shape = configs.transformer();
    VideoGeometry geometry = geometry();
    TokenGrid grid = tokens(request);
    double area =
        (double) geometry.latentSize(request.height()) * geometry.latentSize(request.width());
    return new CostPlan(
        grid.videoTokens(),
        request.steps() * branches(request),
        HunyuanCost.transformer(shape, grid.tokens(), grid.textAfter()),
        HunyuanCost.attention(shape, grid.tokens()),
        HunyuanCost.text(configs.llama()) * (template.crop() + grid.textAfter()),
        HunyuanCost.decode(configs.autoencoder(), geometry.latentFrames(request.frames()), area));
  }

  @Override
  public long weightBytes(VideoPart part, ModelOptions wanted) {
    return switch (part) {
      case TEXT ->
          ComponentInspection.bytesAs(
                  wanted.dtype(),
                  configs.checkpoint().files(HunyuanFamily.LLAMA),
                  name -> LlamaEncoder.loads(configs.llama(), name))
              + ComponentInspection.bytesAs(
                  wanted.dtype(), configs.checkpoint().files(HunyuanFamily.CLIP), name -> true);
      case TRANSFORMER ->
          ComponentInspection.bytesAs(
              wanted.dtype(), configs.checkpoint().files(HunyuanFamily.TRANSFORMER), name -> true);
      case DECODER ->
          ComponentInspection.bytesAs(
              wanted.decoderDtype(),
              configs.checkpoint().files(HunyuanFamily.VAE),
              HunyuanAutoencoder::loads);
    };
  }

  @Override
  public long workBytes(VideoPart part, VideoRequest request, ModelOptions wanted) {
    return switch (part) {
      case TEXT ->
          (long) Float.BYTES
              * template.longest()
              * (2L * configs.llama().heads() * template.longest() + 4L * configs.llama().hidden());
      case TRANSFORMER ->
          (long) ROWS_AT_WORK
              * branches(request)
              * tokens(request).tokens()
              * configs.transformer().width()
              * Float.BYTES;
      case DECODER -> decodeBytes(request, wanted);
    };
  }

  /** A run of latent frames at work, with what the convolutions use inside, and its pixels. */
  private long decodeBytes(VideoRequest request, ModelOptions wanted) {
    HunyuanAutoencoderConfig config = configs.autoencoder();
    long[] latents = latentShape(request);
    int run = (int) Math.min(latents[2], HunyuanAutoencoder.latentsAtOnce(config));
    long height = latents[3];
    long width = latents[4];
    int ratio = config.spatialRatio();
    Tiling tiling = tiling(wanted);
    if (tiling.appliesTo(height * ratio, width * ratio)) {
      height = Math.min(height, tiling.tileHeight() / ratio);
      width = Math.min(width, tiling.tileWidth() / ratio);
    }
    long held =
        HunyuanCost.heldPerLatentPixel(config, run)
            * height
            * width
            * wanted.decoderDtype().bytes();
    long frames = geometry().frames(run);
    long pixels = 4L * 3 * frames * request.width() * request.height() * Float.BYTES;
    return held + held / 2 + pixels;
  }

  private static Tiling tiling(ModelOptions options) {
    return options.tiles() == Tiles.ON ? Tiling.REFERENCE : Tiling.OFF;
  }

  @Override
  public long[] latentShape(VideoRequest request) {
    VideoGeometry geometry = geometry();
    return new long[] {
      1,
      configs.transformer().channels(),
      geometry.latentFrames(request.frames()),
      geometry.latentSize(request.height()),
      geometry.latentSize(request.width())
    };
  }

  /** The prompt's tokens stand behind the video, without padding. */
  @Override
  public TokenGrid tokens(VideoRequest request) {
    long[] latents = latentShape(request);
    return HunyuanTransformer.grid(
        configs.transformer(),
        latents[2],
        latents[3],
        latents[4],
        template.kept(ids(request.prompt())));
  }

  private synchronized TokenIds ids(String prompt) {
    if (!lastPrompt.containsKey(prompt)) {
      lastPrompt.clear();
      lastPrompt.put(prompt, tokenizer.get().encode(template.around(prompt), template.longest()));
    }
    return lastPrompt.get(prompt);
  }

  /**
   * @throws UsageException if there is a negative prompt
   */
  @Override
  public int branches(VideoRequest request) {
    if (!request.negative().isBlank()) {
      throw new UsageException(
          "HunyuanVideo has no pass for a negative prompt: its guidance is an input of the model",
          "Leave the negative prompt out");
    }
    return 1;
  }

  @Override
  public Schedule schedule(int steps) {
    return configs.scheduler().plan(FlowMatchEuler.evenSigmas(steps));
  }

  @Override
  public PromptEncoding encode(String prompt) {
    return text.get().encode(prompt, ids(prompt), template);
  }

  @Override
  public Denoiser denoiser(
      VideoRequest request, List<PromptEncoding> prompts, AttentionSession session) {
    HunyuanTransformer loaded = transformer.get();
    Scope owner = Scope.detached();
    try (Scope scope = Scope.open()) {
      Tensor rows = prompts.get(0).tensor("rows").to(loaded.dtype()).to(options.device());
      Tensor pooled = prompts.get(0).tensor("pooled").to(loaded.dtype()).to(options.device());
      HunyuanPrompt prompt =
          new HunyuanPrompt(
              owner.adopt(rows.copy()), (int) rows.size(1), owner.adopt(pooled.copy()));
      return new HunyuanDenoiser(loaded, prompt, session, request.guidance(), owner);
    }
  }

  /** The transformer with the prompt of one video. */
  private record HunyuanDenoiser(
      HunyuanTransformer model,
      HunyuanPrompt prompt,
      AttentionSession session,
      double weight,
      Scope owner)
      implements Denoiser {
    @Override
    public int branches() {
      return 1;
    }

    @Override
    public Tensor predict(Tensor latents, double timestep, int step, int branch) {
      try (Scope scope = Scope.open()) {
        return scope.keep(
            model.predict(
                latents.to(model.dtype()), timestep, weight, prompt, session, branch, step));
      }
    }

    /** Not asked for: there is one branch. */
    @Override
    public double guidance(int step, double timestep) {
      return 1;
    }

    @Override
    public void close() {
      owner.close();
    }
  }

  @Override
  public void decode(Tensor latents, FrameSink sink) {
    HunyuanAutoencoder loaded = autoencoder.get();
    try (Scope scope = Scope.open()) {
      loaded.decode(
          latents.to(options.device()).div(configs.autoencoder().scaling()),
          tiling(options),
          chunk -> sink.accept(Pixels.of(chunk)));
    }
  }

  @Override
  public void close() {
    tokenizer.close();
    text.close();
    transformer.close();
    autoencoder.close();
  }
}
