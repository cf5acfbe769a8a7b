package dev.gossamer.video.cogvideox;

import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.video.AttentionAdvice;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.CostPlan;
import dev.gossamer.video.Denoiser;
import dev.gossamer.video.FrameSink;
import dev.gossamer.video.LatentLayout;
import dev.gossamer.video.LoadedOnDemand;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.PromptEncoding;
import dev.gossamer.video.Tiles;
import dev.gossamer.video.VideoDefaults;
import dev.gossamer.video.VideoGeometry;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoPart;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.autoencoder.Pixels;
import dev.gossamer.video.autoencoder.Tiling;
import dev.gossamer.video.cogvideox.CogVideoXTransformerConfig.Token;
import dev.gossamer.video.schedulers.CogVideoXDpm;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.text.T5Encoder;
import dev.gossamer.video.text.T5Text;
import dev.gossamer.video.text.TokenIds;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A CogVideoX checkpoint at work: the steps of diffusers' {@code CogVideoXPipeline}.
 *
 * <p>The text encoder sees the padding and the transformer attends to it, as in training. Latents
 * are frames first and float32 between steps, where the reference rounds them to the model's type;
 * noise is drawn in float32 likewise. With DPM the guidance grows with the steps, as its authors
 * use it. CogVideoX 1.5 draws one latent frame more than the video has, in front, because its
 * tokens span two; it is dropped before decoding.
 */
final class CogVideoXModel implements VideoModel {
  /** Positions are made for any length; these are sizes beyond any use. */
  private static final int MOST_LATENT_FRAMES = 4096;

  private static final int LARGEST = 1 << 14;

  /** CogVideoX 1.5's configuration names a size larger than what it was released for. */
  private static final VideoDefaults DEFAULTS_1_5 = new VideoDefaults(81, 1360, 768, 50, 6, 16);

  /** Rows of a token that a branch holds at once, those of a clustered attention included. */
  private static final int ROWS_AT_WORK = 14;

  /**
   * The released code attends in full for the first three tenths of the steps, more than on other
   * models, and so do our presets here; all 226 rows of text are seen by all, padding too, as the
   * model was trained. The released code: 446 clusters on both sides, 64 chosen, text among them.
   */
  private static final AttentionAdvice ADVICE =
      new AttentionAdvice(
          Map.of("denseSteps", "0.3"),
          Map.ofEntries(
              Map.entry("queryMetric", "euclidean"),
              Map.entry("keyCounts", "fixed"),
              Map.entry("itersFirst", "3"),
              Map.entry("itersStep", "3"),
              Map.entry("text", "clustered"),
              Map.entry("kq", "446"),
              Map.entry("kk", "446"),
              Map.entry("scorer", "centroidMass"),
              Map.entry("rule", "topK(64)"),
              Map.entry("denseSteps", "0.3")));

  private final CogVideoXFamily.Configs configs;
  private final ModelOptions options;
  private final LoadedOnDemand<T5Text> text;
  private final LoadedOnDemand<CogVideoXTransformer> transformer;
  private final LoadedOnDemand<CogVideoXAutoencoder> autoencoder;

  CogVideoXModel(CogVideoXFamily.Configs configs, ModelOptions options, Threads threads) {
    this.configs = configs;
    this.options = options;
    this.text =
        new LoadedOnDemand<>(
            () ->
                T5Text.open(
                    () -> configs.checkpoint().tokenizer(CogVideoXFamily.TOKENIZER),
                    configs.text(),
                    configs.files(CogVideoXFamily.TEXT_ENCODER),
                    T5Text.dtype(options.dtype()),
                    options.device(),
                    options.offload().stay()));
    this.transformer =
        new LoadedOnDemand<>(
            () ->
                CogVideoXTransformer.load(
                    configs.transformer(),
                    configs.files(CogVideoXFamily.TRANSFORMER),
                    options.dtype(),
                    options.device(),
                    options.offload().stay()));
    this.autoencoder =
        new LoadedOnDemand<>(
            () ->
                CogVideoXAutoencoder.load(
                    configs.autoencoder(),
                    configs.files(CogVideoXFamily.VAE),
                    options.decoderDtype(),
                    options.device(),
                    CogVideoXAutoencoder.Parts.DECODER,
                    threads));
  }

  @Override
  public LoadedOnDemand<?> part(VideoPart part) {
    return switch (part) {
      case TEXT -> text;
      case TRANSFORMER -> transformer;
      case DECODER -> autoencoder;
    };
  }

  private boolean spansFrames() {
    return configs.transformer().token() == Token.VOLUME;
  }

  @Override
  public String name() {
    CogVideoXTransformerConfig shape = configs.transformer();
    return (spansFrames() ? "CogVideoX 1.5" : "CogVideoX")
        + " text-to-video, "
        + shape.layers()
        + " layers of "
        + shape.heads()
        + " heads of "
        + shape.headDim();
  }

  @Override
  public VideoDefaults defaults() {
    CogVideoXTransformerConfig shape = configs.transformer();
    int ratio = configs.autoencoder().spatialRatio();
    return spansFrames()
        ? DEFAULTS_1_5
        : new VideoDefaults(
            shape.sampleFrames(),
            shape.sampleWidth() * ratio,
            shape.sampleHeight() * ratio,
            50,
            6,
            8);
  }

  /**
   * Frames are a multiple of 8 plus 1: an even number of latent frames decodes to three frames more
   * than it stands for.
   */
  @Override
  public VideoGeometry geometry() {
    int ratio = configs.autoencoder().spatialRatio();
    int stride = configs.autoencoder().temporalRatio();
    return new VideoGeometry(
        stride,
        ratio,
        ratio * configs.transformer().patch(),
        MOST_LATENT_FRAMES,
        LARGEST,
        2 * stride);
  }

  @Override
  public int attentionLayers() {
    return configs.transformer().layers();
  }

  private boolean dynamicGuidance() {
    return configs.scheduler() instanceof CogVideoXDpm;
  }

  @Override
  public Map<String, Object> settings() {
    Map<String, Object> settings = configs.scheduler().report();
    settings.put("dynamicGuidance", dynamicGuidance());
    return settings;
  }

  @Override
  public List<Path> weightFiles() {
    return configs
        .checkpoint()
        .weightFiles(
            CogVideoXFamily.TEXT_ENCODER, CogVideoXFamily.TRANSFORMER, CogVideoXFamily.VAE);
  }

  @Override
  public AttentionAdvice attentionAdvice() {
    return ADVICE;
  }

  @Override
  public CostPlan cost(VideoRequest request) {
    CogVideoXTransformerConfig shape = configs.transformer();
    VideoGeometry geometry = geometry();
    TokenGrid grid = tokens(request);
    double area =
        (double) geometry.latentSize(request.height()) * geometry.latentSize(request.width());
    return new CostPlan(
        grid.videoTokens(),
        request.steps() * branches(request),
        CogVideoXCost.transformer(shape, grid.tokens()),
        CogVideoXCost.attention(shape, grid.tokens()),
        configs.text().operationsPerToken() * shape.textRows() * branches(request),
        CogVideoXCost.decode(configs.autoencoder(), geometry.latentFrames(request.frames()), area));
  }

  @Override
  public long weightBytes(VideoPart part, ModelOptions wanted) {
    return switch (part) {
      case TEXT ->
          ComponentInspection.bytesAs(
              T5Text.dtype(wanted.dtype()),
              configs.files(CogVideoXFamily.TEXT_ENCODER),
              name -> true,
              T5Encoder.BLOCK,
              wanted.offload().held(1));
      case TRANSFORMER ->
          ComponentInspection.bytesAs(
              wanted.dtype(),
              configs.files(CogVideoXFamily.TRANSFORMER),
              name -> true,
              CogVideoXTransformer.BLOCK,
              wanted.offload().held(2)); // both branches of guidance may hold one
      case DECODER ->
          ComponentInspection.bytesAs(
              wanted.decoderDtype(),
              configs.files(CogVideoXFamily.VAE),
              name -> name.startsWith("decoder."));
    };
  }

  @Override
  public long workBytes(VideoPart part, VideoRequest request, ModelOptions wanted) {
    CogVideoXTransformerConfig shape = configs.transformer();
    return switch (part) {
      case TEXT -> configs.text().workBytes(shape.textRows());
      case TRANSFORMER -> {
        long atOnce = wanted.device().isCpu() ? branches(request) : 1;
        yield atOnce * ROWS_AT_WORK * tokens(request).tokens() * Float.BYTES * shape.width();
      }
      case DECODER -> {
        long[] latents = latentShape(request);
        long ratio = configs.autoencoder().spatialRatio();
        Tiling tiling = tiling(wanted);
        long pixels = latents[3] * latents[4];
        long video = 0;
        if (tiling.appliesTo(latents[3] * ratio, latents[4] * ratio)) {
          video = 6L * Float.BYTES * request.frames() * pixels * ratio * ratio;
          pixels = tiling.tileHeight() / ratio * (tiling.tileWidth() / ratio);
        }
        yield CogVideoXCost.decodeBytes(configs.autoencoder(), wanted.decoderDtype(), pixels)
            + video;
      }
    };
  }

  private Tiling tiling(ModelOptions wanted) {
    return wanted.tiles() == Tiles.ON ? configs.autoencoder().tiling() : Tiling.OFF;
  }

  @Override
  public LatentLayout latentLayout() {
    return LatentLayout.FRAMES_FIRST;
  }

  @Override
  public long[] latentShape(VideoRequest request) {
    VideoGeometry geometry = geometry();
    int patch = configs.transformer().patchFrames();
    int frames = geometry.latentFrames(request.frames());
    return new long[] {
      1,
      (frames + patch - 1) / patch * patch,
      configs.transformer().channels(),
      geometry.latentSize(request.height()),
      geometry.latentSize(request.width())
    };
  }

  /** Videos have an odd number of latent frames: of an even number the first is one too many. */
  @Override
  public Tensor videoLatents(Tensor latents) {
    Tensor ordered = latentLayout().exchange(latents);
    long frames = ordered.size(2);
    long extra = configs.transformer().patchFrames() == 2 && frames % 2 == 0 ? 1 : 0;
    return ordered.narrow(2, extra, frames - extra);
  }

  @Override
  public TokenGrid tokens(VideoRequest request) {
    CogVideoXTransformerConfig shape = configs.transformer();
    long[] latents = latentShape(request);
    return new TokenGrid(
        (int) latents[1] / shape.patchFrames(),
        (int) latents[3] / shape.patch(),
        (int) latents[4] / shape.patch(),
        shape.textRows(),
        0);
  }

  @Override
  public Schedule schedule(int steps) {
    return configs.scheduler().plan(steps);
  }

  /** Prompts are padded, so that their number of rows is a part of it. */
  @Override
  public Optional<String> textIdentity() {
    return Optional.of(
        configs.checkpoint().identity(CogVideoXFamily.TOKENIZER, CogVideoXFamily.TEXT_ENCODER)
            + " in "
            + configs.transformer().textRows());
  }

  @Override
  public PromptEncoding encode(String prompt) {
    T5Text part = text.get();
    int rows = configs.transformer().textRows();
    try (Scope scope = Scope.open()) {
      TokenIds ids = part.tokenizer().encode(prompt, rows);
      Tensor encoded = part.encoder().encode(Tensor.of(ids.padded(rows), 1, rows));
      return new PromptEncoding(Map.of("rows", encoded), ids.dropped());
    }
  }

  @Override
  public Denoiser denoiser(
      VideoRequest request, List<PromptEncoding> prompts, AttentionSession session) {
    CogVideoXTransformer loaded = transformer.get();
    Scope owner = Scope.detached();
    List<Tensor> texts = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      for (PromptEncoding prompt : prompts) {
        texts.add(owner.adopt(loaded.prepare(prompt.tensor("rows"))));
      }
    }
    Guidance guidance =
        dynamicGuidance()
            ? timestep -> dynamic(request.guidance(), request.steps(), timestep)
            : timestep -> request.guidance();
    return new CogVideoXDenoiser(loaded, owner, texts, session, guidance);
  }

  /** Weight of the prompt by timestep. */
  private interface Guidance {
    double at(double timestep);
  }

  /** The reference's formula, which mixes the timestep with the number of steps. */
  static double dynamic(double weight, int steps, double timestep) {
    double passed = Math.pow((steps - timestep) / steps, 5);
    return 1 + weight * (1 - Math.cos(Math.PI * passed)) / 2;
  }

  /** The transformer with the prompts of one video. */
  private record CogVideoXDenoiser(
      CogVideoXTransformer model,
      Scope owner,
      List<Tensor> texts,
      AttentionSession session,
      Guidance guidance)
      implements Denoiser {
    @Override
    public int branches() {
      return texts.size();
    }

    /** In float32, in which the reference combines the branches. */
    @Override
    public Tensor predict(Tensor latents, double timestep, int step, int branch) {
      try (Scope scope = Scope.open()) {
        return scope.keep(
            model
                .predict(
                    latents.to(model.dtype()), timestep, texts.get(branch), session, branch, step)
                .to(DType.FLOAT32));
      }
    }

    @Override
    public double guidance(int step, double timestep) {
      return guidance.at(timestep);
    }

    @Override
    public void close() {
      owner.close();
    }
  }

  @Override
  public void decode(Tensor latents, FrameSink sink) {
    if (latents.dims() != 5 || latents.size(2) != configs.autoencoder().latentChannels()) {
      throw new BadInputException(
          "Cannot decode latents of shape " + Arrays.toString(latents.shape()),
          "Expected [1, frames, "
              + configs.autoencoder().latentChannels()
              + ", height / 8, width / 8]");
    }
    CogVideoXAutoencoder loaded = autoencoder.get();
    try (Scope scope = Scope.open()) {
      loaded.decode(
          videoLatents(latents.to(options.device())).div(configs.autoencoder().scaling()),
          CodecOptions.PLAIN.withTiling(tiling(options)),
          chunk -> sink.accept(Pixels.of(chunk)));
    }
  }

  @Override
  public void close() {
    text.close();
    transformer.close();
    autoencoder.close();
  }
}
