package dev.gossamer.video;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.ServiceLoader;
import java.util.Set;

/**
 * Makes videos from text, with any checkpoint of a known {@link VideoFamily}. Open it once, make
 * many videos, close it.
 *
 * <pre>{@code
 * try (TextToVideo model = TextToVideo.open(Path.of("wan"))) {
 *   VideoRequest request = model.request("a rocket flies up in space").withSeed(7);
 *   model.generate(request, RunOptions.to(Path.of("rocket.mp4")), Progress.NONE);
 * }
 * }</pre>
 *
 * Nothing large is loaded before the first video. One video at a time: calls from several threads
 * wait for each other.
 */
public final class TextToVideo implements AutoCloseable {
  private final Path folder;
  private final VideoEngine engine;

  private TextToVideo(Path folder, VideoEngine engine) {
    this.folder = folder;
    this.engine = engine;
  }

  /** Opens a checkpoint with {@link ModelOptions#defaults}. */
  public static TextToVideo open(Path checkpoint) {
    return open(checkpoint, ModelOptions.defaults());
  }

  /**
   * Opens a checkpoint in diffusers' folder layout.
   *
   * @throws BadInputException if it is not there, damaged, or of a family that is not known
   * @throws EnvironmentException if the device is not there
   */
  public static TextToVideo open(Path checkpoint, ModelOptions options) {
    Checkpoint found = Checkpoint.open(checkpoint);
    VideoFamily family = family(found);
    checkDevice(options.device());
    family.inspect(found).forEach(part -> part.check(checkpoint));
    Threads threads = new Threads(options.threads());
    try {
      VideoModel model = family.open(found, options, threads);
      return new TextToVideo(checkpoint, new VideoEngine(model, options, threads));
    } catch (RuntimeException | Error e) {
      threads.close();
      throw e;
    }
  }

  private static void checkDevice(Device device) {
    if (!device.isCpu() && !Machine.backend().cuda()) {
      throw new EnvironmentException(
          "Cannot run on "
              + device
              + ": libtorch "
              + Machine.backend().version()
              + " here sees no NVIDIA card",
          "'gossamer doctor' names what is missing; or use --device cpu");
    }
  }

  /** All families on the class path, ordered by name. */
  public static List<VideoFamily> families() {
    List<VideoFamily> families = new ArrayList<>();
    ServiceLoader.load(VideoFamily.class, VideoFamily.class.getClassLoader())
        .forEach(families::add);
    families.sort(Comparator.comparing(VideoFamily::name));
    return families;
  }

  /**
   * The family that runs a checkpoint.
   *
   * @throws BadInputException if none does
   */
  public static VideoFamily family(Checkpoint checkpoint) {
    List<VideoFamily> families = families();
    return families.stream()
        .filter(family -> family.pipeline().equals(checkpoint.pipeline()))
        .findFirst()
        .orElseThrow(
            () ->
                new BadInputException(
                    "Cannot open the model "
                        + checkpoint.folder()
                        + ": no family here runs a "
                        + checkpoint.pipeline(),
                    "Supported: "
                        + String.join(
                            ", ",
                            families.stream()
                                .map(family -> family.pipeline() + " (" + family.name() + ")")
                                .toList())));
  }

  /** The checkpoint's folder. */
  public Path folder() {
    return folder;
  }

  /** What was opened: its name, defaults, geometry. */
  public VideoModel model() {
    return engine.model();
  }

  public ModelOptions options() {
    return engine.options();
  }

  /** A request with the checkpoint's own defaults, dense attention and seed 0. */
  public VideoRequest request(String prompt) {
    return model().defaults().request(prompt, new DenseAttention());
  }

  /**
   * What a request would cost, were all its attention dense.
   *
   * @throws dev.gossamer.tensor.failure.UsageException if the model cannot draw it
   */
  public CostPlan cost(VideoRequest request) {
    check(request);
    return model().cost(request);
  }

  /**
   * What a request needs in memory against what is free now.
   *
   * @throws dev.gossamer.tensor.failure.UsageException if the model cannot draw it
   */
  public MemoryPlan memory(VideoRequest request) {
    check(request);
    long free =
        options().device().isCpu() ? Machine.here().availableBytes() : free(options().device());
    return MemoryPlan.of(model(), request, options(), OptionalLong.of(free));
  }

  /** What the card has to give, and what libtorch took of it but for the weights that are there. */
  private long free(Device device) {
    Card card = Card.of(device);
    long loaded =
        Arrays.stream(VideoPart.values())
            .filter(model()::isLoaded)
            .mapToLong(part -> model().weightBytes(part, options()))
            .sum();
    return card.freeBytes() + Math.max(0, card.takenBytes() - loaded);
  }

  /**
   * What a real run would advise.
   *
   * @param plan of this request
   * @return what makes the request fit, for example {@code Use --dtype bf16}; empty if it fits
   */
  public String remedy(VideoRequest request, MemoryPlan plan) {
    return plan.remedy(model(), request, options());
  }

  private void check(VideoRequest request) {
    model().geometry().check(request.frames(), request.width(), request.height());
    model().schedule(request.steps());
  }

  /** Plans and, if it cannot fit, refuses; sets the engine to what was decided. */
  private MemoryPlan admit(VideoRequest request) {
    MemoryPlan plan = memory(request);
    plan.check(model(), request, options());
    engine.residency(plan.residency());
    return plan;
  }

  /**
   * Checks everything that can be checked before a run: the request, the files it would write and
   * read, the memory.
   *
   * @throws dev.gossamer.tensor.failure.GossamerException if the run could not succeed
   */
  public void check(VideoRequest request, RunOptions run) {
    check(request);
    VideoRun.check(model(), request, run);
    memory(request).check(model(), request, options());
  }

  /**
   * Makes a video, its contact sheet and its report.
   *
   * @throws dev.gossamer.tensor.failure.GossamerException if it cannot be made; what was finished
   *     by then is kept for {@link RunOptions.Extra#RESUME}
   * @throws dev.gossamer.tensor.failure.InterruptedRunException if it was cancelled, likewise
   */
  public synchronized VideoResult generate(
      VideoRequest request, RunOptions run, Progress progress) {
    check(request);
    VideoRun.check(model(), request, run);
    MemoryPlan plan = admit(request);
    return engine.run(
        progress, told -> new VideoRun(folder, engine, plan, request, run, told).make());
  }

  /**
   * Makes a video for the caller alone: no files, no resuming.
   *
   * @param sink takes the frames as they come
   * @return what the self-attentions did
   */
  public synchronized AttentionSummary generate(
      VideoRequest request, FrameSink sink, Progress progress) {
    admit(request);
    return engine.run(progress, told -> unfiled(request, sink, told));
  }

  /** A draft that neither leaves files nor looks for any. */
  private static VideoEngine.Draft draft(VideoRequest request) {
    return new VideoEngine.Draft(
        request, Stage.TRANSFORMER, Optional.empty(), Optional.empty(), false, false, Set.of());
  }

  private AttentionSummary unfiled(VideoRequest request, FrameSink sink, Progress progress) {
    StageClock clock = new StageClock(progress);
    try (Scope scope = Scope.open()) {
      VideoEngine.Drawn drawn =
          engine.draw(draft(request), engine.noise(request), clock, progress, (done, loop) -> {});
      engine.decode(drawn.latents(), sink, clock, progress);
      return AttentionSummary.of(drawn.attention());
    }
  }

  /**
   * Makes some videos for the sake of their colours: fits the map that previews are drawn with and
   * writes it as {@code preview.safetensors}.
   *
   * @param requests varied ones of few steps do; about ten
   * @param into folder that the file goes into: the checkpoint's, or another
   */
  public synchronized void fitPreview(List<VideoRequest> requests, Path into, Progress progress) {
    int channels = (int) model().latentShape(requests.get(0))[model().latentLayout().channelAxis()];
    PreviewMap.Fit fit = new PreviewMap.Fit(channels);
    for (VideoRequest request : requests) {
      admit(request);
      engine.run(progress, told -> addTo(fit, request, told));
    }
    fit.solve().write(into);
  }

  private PreviewMap.Fit addTo(PreviewMap.Fit fit, VideoRequest request, Progress progress) {
    try (Scope scope = Scope.open()) {
      StageClock clock = new StageClock(progress);
      VideoEngine.Drawn drawn =
          engine.draw(draft(request), engine.noise(request), clock, progress, (done, loop) -> {});
      List<Tensor> frames = new ArrayList<>();
      engine.decode(
          drawn.latents(), chunk -> frames.add(scope.adopt(chunk.copy())), clock, progress);
      return fit.add(
          model().videoLatents(drawn.latents()), Tensor.cat(0, frames), model().geometry());
    }
  }

  /**
   * Makes the video, contact sheet included, from latents that an earlier run saved.
   *
   * @param latents safetensors file with the tensor {@code latents}
   */
  public synchronized DecodedVideo decode(Path latents, RunOptions run, Progress progress) {
    return engine.run(progress, told -> VideoRun.decode(engine, latents, run, told));
  }

  /** Frees everything. */
  @Override
  public synchronized void close() {
    engine.close();
  }
}
