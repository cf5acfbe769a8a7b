package dev.gossamer.video.wan;

import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
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
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.autoencoder.Pixels;
import dev.gossamer.video.autoencoder.Tiling;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.text.PromptCleaning;
import dev.gossamer.video.text.T5Encoder;
import dev.gossamer.video.text.T5Text;
import dev.gossamer.video.text.TokenIds;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * A Wan 2.1 checkpoint at work: the steps of diffusers' {@code WanPipeline} and {@code
 * WanImageToVideoPipeline}.
 *
 * <p>The text encoder runs on the prompt's own tokens, without padding; the transformer attends to
 * 512 rows, of which those behind the prompt are zero. Latents are float32 between steps. The
 * autoencoder has its own type.
 */
final class WanModel implements VideoModel {
  private static final int TEXT_ROWS = 512;
  private static final int FRAMES_PER_SECOND = 16;

  /** Checkpoints narrower than this are small ones for trying out: the 1.3B model has 1536. */
  private static final int SMALL = 1024;

  private static final VideoDefaults SMALL_DEFAULTS =
      new VideoDefaults(33, 256, 256, 20, 4, FRAMES_PER_SECOND);
  private static final VideoDefaults RELEASED_DEFAULTS =
      new VideoDefaults(81, 832, 480, 50, 5, FRAMES_PER_SECOND);

  /** Rows of a token that a branch holds at once, those of a clustered attention included. */
  private static final int ROWS_AT_WORK = 14;

  /**
   * The presets fit: self-attention sees the video only. The released code: 100 clusters of
   * queries, 500 of keys, the 128 best by the mass between centroids, from the first step on.
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
              Map.entry("kq", "100"),
              Map.entry("kk", "500"),
              Map.entry("scorer", "centroidMass"),
              Map.entry("rule", "topK(128)"),
              Map.entry("denseSteps", "0")));

  private final WanFamily.Configs configs;
  private final ModelOptions options;
  private final Threads threads;
  private final LoadedOnDemand<T5Text> text;
  private final LoadedOnDemand<WanTransformer> transformer;
  private final LoadedOnDemand<WanAutoencoder> autoencoder;

  WanModel(WanFamily.Configs configs, ModelOptions options, Threads threads) {
    this.configs = configs;
    this.options = options;
    this.threads = threads;
    this.text = new LoadedOnDemand<>(this::openText);
    this.transformer = new LoadedOnDemand<>(() -> WanFamily.transformer(configs, options));
    this.autoencoder =
        new LoadedOnDemand<>(
            () ->
                WanAutoencoder.load(
                    configs.files(WanFamily.VAE),
                    configs.autoencoder(),
                    options.decoderDtype(),
                    options.device(),
                    WanAutoencoder.Parts.DECODER,
                    threads));
  }

  private T5Text openText() {
    return T5Text.open(
        () -> configs.checkpoint().tokenizer(WanFamily.TOKENIZER),
        configs.text(),
        configs.files(WanFamily.TEXT_ENCODER),
        T5Text.dtype(options.dtype()),
        options.device(),
        options.offload().stay());
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
    WanTransformerConfig shape = configs.transformer();
    return (takesImage() ? "Wan 2.1 image-to-video, " : "Wan 2.1 text-to-video, ")
        + shape.layers()
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
    WanTransformerConfig shape = configs.transformer();
    int ratio = configs.autoencoder().spatialRatio();
    int multiple = ratio * Math.max(shape.patchHeight(), shape.patchWidth());
    return new VideoGeometry(
        configs.autoencoder().temporalRatio(),
        ratio,
        multiple,
        shape.longestAxis() * shape.patchFrames(),
        shape.longestAxis() * multiple);
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
    List<String> components =
        new ArrayList<>(List.of(WanFamily.TEXT_ENCODER, WanFamily.TRANSFORMER, WanFamily.VAE));
    if (takesImage()) {
      components.add(WanFamily.IMAGE_ENCODER);
    }
    return configs.checkpoint().weightFiles(components.toArray(String[]::new));
  }

  @Override
  public AttentionAdvice attentionAdvice() {
    return ADVICE;
  }

  @Override
  public CostPlan cost(VideoRequest request) {
    WanTransformerConfig shape = configs.transformer();
    VideoGeometry geometry = geometry();
    long tokens = tokens(request).tokens();
    double area =
        (double) geometry.latentSize(request.height()) * geometry.latentSize(request.width());
    double words = 2 + request.prompt().length() / 4.0 + request.negative().length() / 4.0;
    return new CostPlan(
        tokens,
        request.steps() * branches(request),
        WanCost.transformer(shape, tokens, TEXT_ROWS),
        WanCost.attention(shape, tokens),
        configs.text().operationsPerToken() * words,
        WanCost.decode(configs.autoencoder(), geometry.latentFrames(request.frames()), area));
  }

  @Override
  public long weightBytes(VideoPart part, ModelOptions wanted) {
    return switch (part) {
      case TEXT ->
          ComponentInspection.bytesAs(
              T5Text.dtype(wanted.dtype()),
              configs.files(WanFamily.TEXT_ENCODER),
              name -> true,
              T5Encoder.BLOCK,
              wanted.offload().held(1));
      case TRANSFORMER ->
          ComponentInspection.bytesAs(
              wanted.dtype(),
              configs.files(WanFamily.TRANSFORMER),
              name -> true,
              WanTransformer.BLOCK,
              wanted.offload().held(2)); // both branches of guidance may hold one
      case DECODER ->
          bytes(
              WanFamily.VAE,
              wanted.decoderDtype(),
              name -> name.startsWith("decoder.") || name.startsWith("post_quant_conv."));
    };
  }

  private long bytes(String component, DType dtype, Predicate<String> names) {
    return ComponentInspection.bytesAs(dtype, configs.files(component), names);
  }

  @Override
  public long workBytes(VideoPart part, VideoRequest request, ModelOptions wanted) {
    WanTransformerConfig shape = configs.transformer();
    long rowBytes = (long) Float.BYTES * shape.width();
    return switch (part) {
      case TEXT -> configs.text().workBytes(TEXT_ROWS);
      case TRANSFORMER -> {
        long branches = branches(request);
        long atOnce = wanted.device().isCpu() ? branches : 1;
        long texts = 2L * branches * shape.layers() * TEXT_ROWS * shape.width();
        yield atOnce * ROWS_AT_WORK * tokens(request).tokens() * rowBytes
            + texts * wanted.dtype().bytes();
      }
      case DECODER -> {
        long[] latents = latentShape(request);
        long activations =
            new DecodeMemory(configs.autoencoder(), wanted.decoderDtype())
                .bytes(1, latents[2], latents[3], latents[4], tiling(wanted));
        yield activations + activations / 2; // what the convolutions use inside
      }
    };
  }

  private static Tiling tiling(ModelOptions options) {
    return options.tiles() == Tiles.ON ? Tiling.REFERENCE : Tiling.OFF;
  }

  @Override
  public long[] latentShape(VideoRequest request) {
    VideoGeometry geometry = geometry();
    return new long[] {
      1,
      configs.transformer().outChannels(),
      geometry.latentFrames(request.frames()),
      geometry.latentSize(request.height()),
      geometry.latentSize(request.width())
    };
  }

  @Override
  public TokenGrid tokens(VideoRequest request) {
    WanTransformerConfig shape = configs.transformer();
    long[] latents = latentShape(request);
    return TokenGrid.video(
        (int) latents[2] / shape.patchFrames(),
        (int) latents[3] / shape.patchHeight(),
        (int) latents[4] / shape.patchWidth());
  }

  @Override
  public Schedule schedule(int steps) {
    return configs.scheduler().plan(steps);
  }

  @Override
  public Optional<String> textIdentity() {
    return Optional.of(configs.checkpoint().identity(WanFamily.TOKENIZER, WanFamily.TEXT_ENCODER));
  }

  @Override
  public PromptEncoding encode(String prompt) {
    T5Text part = text.get();
    try (Scope scope = Scope.open()) {
      TokenIds ids = part.tokenizer().encode(PromptCleaning.clean(prompt), TEXT_ROWS);
      Tensor rows = part.encoder().encode(Tensor.of(ids.ids(), 1, ids.count()));
      return new PromptEncoding(Map.of("rows", rows), ids.dropped());
    }
  }

  @Override
  public boolean takesImage() {
    return configs.image().isPresent();
  }

  @Override
  public PromptEncoding encodeImage(Frame image, VideoRequest request) {
    return new WanImage(configs, options).encode(image, request, threads);
  }

  @Override
  public long imageBytes(VideoRequest request, ModelOptions wanted) {
    if (!takesImage()) {
      return 0;
    }
    long rows =
        bytes(WanFamily.IMAGE_ENCODER, wanted.dtype(), name -> true)
            + configs.image().orElseThrow().encoder().workBytes();
    // Encoding a chunk needs no more than decoding it does; the whole video lies there as well.
    long video = 2L * 3 * Float.BYTES * request.frames() * request.width() * request.height();
    long latents =
        bytes(WanFamily.VAE, wanted.decoderDtype(), name -> true)
            + workBytes(VideoPart.DECODER, request, wanted.withTiles(Tiles.OFF))
            + video;
    return Math.max(rows, latents);
  }

  @Override
  public Denoiser denoiser(
      VideoRequest request, List<PromptEncoding> prompts, AttentionSession session) {
    return denoiser(request, prompts, Optional.empty(), session);
  }

  @Override
  public Denoiser denoiser(
      VideoRequest request,
      List<PromptEncoding> prompts,
      Optional<PromptEncoding> image,
      AttentionSession session) {
    WanTransformer loaded = transformer.get();
    List<TextContext> contexts = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      for (PromptEncoding prompt : prompts) {
        Tensor rows = prompt.tensor("rows").to(loaded.dtype());
        int valid = (int) rows.size(1);
        contexts.add(
            loaded.prepare(
                rows.pad(0, 0, 0, 0, TEXT_ROWS - valid),
                valid,
                image.map(seen -> seen.tensor("rows").to(loaded.dtype()))));
      }
    }
    return new WanDenoiser(
        loaded, contexts, image.map(seen -> seen.tensor("condition")), session, request.guidance());
  }

  /** The transformer with the prompts of one video. */
  private record WanDenoiser(
      WanTransformer model,
      List<TextContext> contexts,
      Optional<Tensor> condition,
      AttentionSession session,
      double weight)
      implements Denoiser {
    @Override
    public int branches() {
      return contexts.size();
    }

    @Override
    public Tensor predict(Tensor latents, double timestep, int step, int branch) {
      try (Scope scope = Scope.open()) {
        Tensor input = condition.isPresent() ? Tensor.cat(1, latents, condition.get()) : latents;
        return scope.keep(
            model.predict(
                input.to(model.dtype()), timestep, contexts.get(branch), session, branch, step));
      }
    }

    @Override
    public double guidance(int step, double timestep) {
      return weight;
    }

    @Override
    public void close() {
      contexts.forEach(TextContext::close);
    }
  }

  @Override
  public void decode(Tensor latents, FrameSink sink) {
    WanAutoencoder loaded = autoencoder.get();
    try (Scope scope = Scope.open()) {
      loaded.decode(
          loaded.denormalise(latents.to(options.device())),
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
