package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.AttentionAdvice;
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
import dev.gossamer.video.text.ClipTextEncoder;
import dev.gossamer.video.text.LlamaEncoder;
import dev.gossamer.video.text.TokenIds;
import dev.gossamer.video.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A HunyuanVideo text-to-video checkpoint at work: the steps of diffusers' {@code
 * HunyuanVideoPipeline}.
 *
 * <p>The guidance is an input of the transformer, so that a step is one pass; true guidance adds
 * one for a negative prompt, in which the transformer hears of the same guidance. Latents are
 * float32 between steps. The autoencoder has its own type.
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

  /**
   * The presets fit: text is seen by all, and its padding is cut before. The released code: 250
   * clusters of queries, 1243 of keys, 94 chosen; 8 of 30 steps and 21 of 60 layers in full.
   */
  private static final AttentionAdvice ADVICE =
      new AttentionAdvice(
          Map.of(),
          Map.ofEntries(
              Map.entry("queryMetric", "euclidean"),
              Map.entry("keyCounts", "fixed"),
              Map.entry("itersFirst", "3"),
              Map.entry("itersStep", "1"),
              Map.entry("text", "clustered"),
              Map.entry("kq", "250"),
              Map.entry("kk", "1243"),
              Map.entry("scorer", "pseudoQuest"),
              Map.entry("rule", "topK(94)"),
              Map.entry("denseSteps", "0.267"),
              Map.entry("denseLayers", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,33,37,38,59")));

  private final HunyuanFamily.Configs configs;
  private final PromptTemplate template;
  private final ModelOptions options;
  private final LoadedOnDemand<Tokenizer> tokenizer;
  private final LoadedOnDemand<HunyuanText> text;
  private final LoadedOnDemand<HunyuanTransformer> transformer;
  private final LoadedOnDemand<HunyuanAutoencoder> autoencoder;
  private final Map<String, TokenIds> lastTexts = new LinkedHashMap<>(); // of one video

  HunyuanModel(HunyuanFamily.Configs configs, PromptTemplate template, ModelOptions options) {
    this.configs = configs;
    this.template = template;
    this.options = options;
    this.tokenizer =
        new LoadedOnDemand<>(() -> configs.checkpoint().tokenizer(HunyuanFamily.LLAMA_TOKENIZER));
    this.text = new LoadedOnDemand<>(() -> HunyuanText.open(configs, options));
    this.transformer =
        new LoadedOnDemand<>(
            () ->
                HunyuanTransformer.load(
                    configs.transformer(),
                    configs.files(HunyuanFamily.TRANSFORMER),
                    options.dtype(),
                    options.device(),
                    options.offload().stay()));
    this.autoencoder =
        new LoadedOnDemand<>(
            () ->
                HunyuanAutoencoder.load(
                    configs.autoencoder(),
                    configs.files(HunyuanFamily.VAE),
                    options.decoderDtype(),
                    options.device(),
                    HunyuanAutoencoder.Parts.DECODER));
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
  public AttentionAdvice attentionAdvice() {
    return ADVICE;
  }

  @Override
  public CostPlan cost(VideoRequest request) {
    HunyuanTransformerConfig shape = configs.transformer();
    VideoGeometry geometry = geometry();
    List<TokenGrid> grids = grids(request);
    double area =
        (double) geometry.latentSize(request.height()) * geometry.latentSize(request.width());
    TokenGrid grid = grids.get(0);
    int texts = grids.stream().mapToInt(TokenGrid::textAfter).sum();
    return new CostPlan(
        grid.videoTokens(),
        request.steps() * grids.size(),
        HunyuanCost.transformer(shape, grid.tokens(), grid.textAfter()),
        HunyuanCost.attention(shape, grid.tokens()),
        HunyuanCost.text(configs.llama()) * (grids.size() * template.crop() + texts),
        HunyuanCost.decode(configs.autoencoder(), geometry.latentFrames(request.frames()), area));
  }

  @Override
  public long weightBytes(VideoPart part, ModelOptions wanted) {
    return switch (part) {
      case TEXT ->
          ComponentInspection.bytesAs(
                  wanted.dtype(),
                  configs.files(HunyuanFamily.LLAMA),
                  name -> LlamaEncoder.loads(configs.llama(), name),
                  LlamaEncoder.LAYER,
                  wanted.offload().held(1))
              + ComponentInspection.bytesAs(
                  wanted.dtype(),
                  configs.files(HunyuanFamily.CLIP),
                  name -> true,
                  ClipTextEncoder.LAYER,
                  wanted.offload().held(1));
      case TRANSFORMER ->
          ComponentInspection.bytesAs(
              wanted.dtype(),
              configs.files(HunyuanFamily.TRANSFORMER),
              name -> true,
              HunyuanTransformer.BLOCK,
              wanted.offload().held(2)); // with true guidance both branches may hold one
      case DECODER ->
          ComponentInspection.bytesAs(
              wanted.decoderDtype(),
              configs.files(HunyuanFamily.VAE),
              HunyuanAutoencoder::ofDecoder);
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
    return tokens(request, request.prompt());
  }

  private TokenGrid tokens(VideoRequest request, String text) {
    long[] latents = latentShape(request);
    return HunyuanTransformer.grid(
        configs.transformer(), latents[2], latents[3], latents[4], template.kept(ids(text)));
  }

  @Override
  public List<TokenGrid> grids(VideoRequest request) {
    TokenGrid grid = tokens(request);
    return branches(request) == 1
        ? List.of(grid)
        : List.of(grid, tokens(request, request.negative()));
  }

  private synchronized TokenIds ids(String text) {
    if (!lastTexts.containsKey(text)) {
      if (lastTexts.size() == 2) {
        lastTexts.clear();
      }
      lastTexts.put(text, tokenizer.get().encode(template.around(text), template.longest()));
    }
    return lastTexts.get(text);
  }

  /**
   * One, or two with true guidance.
   *
   * @throws UsageException if there is a negative prompt that nothing would look at
   */
  @Override
  public int branches(VideoRequest request) {
    if (request.trueGuidance() > 1) {
      return 2;
    }
    if (!request.negative().isBlank()) {
      throw new UsageException(
          "HunyuanVideo's guidance is an input of the model, without a pass for a negative prompt",
          "Leave the negative prompt out, or ask for that pass with --true-guidance 6");
    }
    return 1;
  }

  @Override
  public Schedule schedule(int steps) {
    return configs.scheduler().plan(FlowMatchEuler.evenSigmas(steps));
  }

  @Override
  public Optional<String> textIdentity() {
    return Optional.of(
        configs
                .checkpoint()
                .identity(
                    HunyuanFamily.LLAMA_TOKENIZER,
                    HunyuanFamily.LLAMA,
                    HunyuanFamily.CLIP_TOKENIZER,
                    HunyuanFamily.CLIP)
            + " in "
            + template);
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
    List<HunyuanPrompt> texts = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      for (PromptEncoding prompt : prompts) {
        Tensor rows = prompt.tensor("rows").to(loaded.dtype()).to(options.device());
        Tensor pooled = prompt.tensor("pooled").to(loaded.dtype()).to(options.device());
        texts.add(
            new HunyuanPrompt(
                owner.adopt(rows.copy()), (int) rows.size(1), owner.adopt(pooled.copy())));
      }
      return new HunyuanDenoiser(
          loaded, texts, session, request.guidance(), request.trueGuidance(), owner);
    }
  }

  /** The transformer with the prompts of one video. */
  private record HunyuanDenoiser(
      HunyuanTransformer model,
      List<HunyuanPrompt> prompts,
      AttentionSession session,
      double embedded,
      double weight,
      Scope owner)
      implements Denoiser {
    @Override
    public int branches() {
      return prompts.size();
    }

    @Override
    public Tensor predict(Tensor latents, double timestep, int step, int branch) {
      try (Scope scope = Scope.open()) {
        return scope.keep(
            model.predict(
                latents.to(model.dtype()),
                timestep,
                embedded,
                prompts.get(branch),
                session,
                branch,
                step));
      }
    }

    /** Of the second branch; not asked for where there is one. */
    @Override
    public double guidance(int step, double timestep) {
      return weight;
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
