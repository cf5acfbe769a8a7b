package dev.gossamer.video;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.video.media.Resampling;
import dev.gossamer.video.media.VideoFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * A model at work: keeps its parts in memory or frees them as the memory plan wants, remembers
 * encoded prompts, and turns requests into latents. One video at a time.
 */
final class VideoEngine implements AutoCloseable {
  private static final int PROMPTS = 16;

  private final VideoModel model;
  private final ModelOptions options;
  private final Threads threads;
  private final Map<String, PromptEncoding> prompts = new LinkedHashMap<>(16, 0.75f, true);
  private final Map<String, PromptEncoding> lastImage = new LinkedHashMap<>(); // one at most
  private List<FileFingerprint> weights = List.of();
  private Optional<PromptCache> kept = Optional.empty();
  private Residency residency = Residency.KEEP;

  VideoEngine(VideoModel model, ModelOptions options, Threads threads) {
    this.model = model;
    this.options = options;
    this.threads = threads;
  }

  /** Runs one video's work: on all threads of the options, and stopping where it is wished. */
  <T> T run(Progress progress, Function<Progress, T> work) {
    List<T> result = new ArrayList<>(1);
    threads.inside(() -> result.add(Interruptible.run(progress, work)));
    return result.get(0);
  }

  VideoModel model() {
    return model;
  }

  ModelOptions options() {
    return options;
  }

  Residency residency() {
    return residency;
  }

  /** How parts stay from now on, as a {@link MemoryPlan} decided. */
  void residency(Residency decided) {
    residency = decided;
  }

  /** What tells the weights from others; read once. */
  List<FileFingerprint> weights() {
    if (weights.isEmpty()) {
      weights = model.weightFiles().stream().map(FileFingerprint::weights).toList();
    }
    return weights;
  }

  /**
   * What to draw, and what to note on the way.
   *
   * @param stage as which progress is told
   * @param unfinished where the state goes until it is done
   * @param finished where the latents go when it is done
   * @param resume whether to go on from these files if they are there
   * @param trajectory whether the latents after each step are kept
   * @param explained steps whose cluster labels are kept
   */
  record Draft(
      VideoRequest request,
      Stage stage,
      Optional<Path> unfinished,
      Optional<Path> finished,
      boolean resume,
      boolean trajectory,
      Set<Integer> explained) {}

  /**
   * Final latents and how they came to be.
   *
   * @param latents {@link VideoModel#latentShape} float32, in the caller's scope
   * @param stepSeconds of each step, those before an interruption included
   * @param trajectory latents after each step by name, in the caller's scope
   * @param resumed whether an earlier sitting made some of it: its seconds are not of this one
   */
  record Drawn(
      Tensor latents,
      AttentionReport attention,
      List<Double> stepSeconds,
      Map<String, Tensor> trajectory,
      boolean resumed) {
    /** Of denoising. */
    double seconds() {
      return stepSeconds.stream().mapToDouble(Double::doubleValue).sum();
    }
  }

  /**
   * Makes latents from noise, or goes on where an earlier run stopped.
   *
   * @param noise {@link VideoModel#latentShape} float32
   */
  Drawn draw(
      Draft draft, Tensor noise, StageClock clock, Progress progress, Denoising.Observer observer) {
    VideoRequest request = draft.request();
    RunIdentity identity = identity(request, noise);
    Optional<RunState> saved = saved(draft, identity, progress);
    saved.ifPresent(
        state -> clock.addEarlier(state.stepSeconds().stream().mapToDouble(s -> s).sum()));
    if (saved.isPresent() && saved.get().done() == request.steps()) {
      RunState state = saved.get();
      return new Drawn(
          state.latents(),
          state.attention(),
          state.stepSeconds(),
          steps(state.under("step_")),
          true);
    }
    Optional<PromptEncoding> image = request.image().map(file -> image(file, request, clock));
    loadAll(request, clock);
    List<PromptEncoding> branches = encode(request, clock, progress);
    if (draft.stage() == Stage.TRANSFORMER) {
      noteDropped(branches, progress);
    }
    load(VideoPart.TRANSFORMER, clock);
    Denoising.Setting setting =
        new Denoising.Setting(
            model,
            request,
            identity,
            threads,
            options.device(),
            new AttentionPlan(
                model.attentionLayers(),
                model.grids(request),
                request.steps(),
                request.seed(),
                draft.explained(),
                AttentionPlan.FEW_ROWS),
            draft.trajectory());
    try (Denoising denoising = new Denoising(setting, branches, image, noise)) {
      saved.ifPresent(denoising::restore);
      denoising.run(
          draft.stage(),
          progress,
          new Checkpoints(draft.unfinished()),
          saved.isPresent() ? observer : replacing(draft, observer));
      draft.finished().ifPresent(file -> denoising.state().write(file));
      draft.unfinished().ifPresent(VideoEngine::delete);
      Map<String, Tensor> trajectory = new LinkedHashMap<>();
      denoising.trajectory().forEach((name, step) -> trajectory.put(name, step.copy()));
      return new Drawn(
          denoising.latents().copy(),
          denoising.attention(),
          denoising.stepSeconds(),
          trajectory,
          saved.isPresent());
    }
  }

  /** A run that begins anew takes the place of an earlier one, once it has something to show. */
  private static Denoising.Observer replacing(Draft draft, Denoising.Observer observer) {
    return (done, denoising) -> {
      if (done == 1) {
        draft.finished().ifPresent(VideoEngine::delete);
      }
      observer.after(done, denoising);
    };
  }

  private static Map<String, Tensor> steps(Map<String, Tensor> byNumber) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    byNumber.forEach((number, step) -> named.put("step_" + number, step));
    return named;
  }

  private RunIdentity identity(VideoRequest request, Tensor noise) {
    return RunIdentity.of(request, options, weights(), new Sha256().add(noise).hex());
  }

  /** What an earlier run of this very request left, if the draft wants to go on from it. */
  private Optional<RunState> saved(Draft draft, RunIdentity identity, Progress progress) {
    for (Optional<Path> file : List.of(draft.finished(), draft.unfinished())) {
      if (file.isPresent() && Files.exists(file.get())) {
        if (!draft.resume()) {
          progress.note(
              "Beginning anew, in place of the run saved in "
                  + file.get()
                  + "; --resume would go on from it");
          return Optional.empty();
        }
        RunState state = RunState.read(file.get());
        Optional<String> difference = state.identity().difference(identity);
        if (difference.isPresent()) {
          throw new UsageException(
              "Cannot go on from " + file.get() + ": " + difference.get(),
              "Repeat the request as it was, or run without --resume to begin anew");
        }
        progress.note(
            "Going on from "
                + file.get()
                + ": "
                + state.done()
                + " of "
                + state.steps()
                + " steps");
        return Optional.of(state);
      }
    }
    if (draft.resume() && draft.stage() == Stage.TRANSFORMER) {
      progress.note("No interrupted run to go on from; beginning anew");
    }
    return Optional.empty();
  }

  /** The starting noise of a request's seed, float32 on the processor, in the current scope. */
  Tensor noise(VideoRequest request) {
    try (Generator generator = Generator.seeded(request.seed())) {
      return model.noise(generator, request);
    }
  }

  /** Prompt and, if it is wanted, negative. */
  private List<String> texts(VideoRequest request) {
    return model.branches(request) == 1
        ? List.of(request.prompt())
        : List.of(request.prompt(), request.negative());
  }

  /** Encodings of a request's texts; those that are remembered or kept are not made again. */
  private List<PromptEncoding> encode(VideoRequest request, StageClock clock, Progress progress) {
    List<String> texts = texts(request);
    for (String text : texts) {
      if (!prompts.containsKey(text)) {
        kept().flatMap(cache -> cache.get(text, progress)).ifPresent(e -> prompts.put(text, e));
      }
    }
    if (!prompts.keySet().containsAll(texts)) {
      load(VideoPart.TEXT, clock);
      clock.time(
          Stage.TEXT,
          () ->
              texts.forEach(
                  text -> prompts.computeIfAbsent(text, missing -> made(missing, progress))));
    }
    List<PromptEncoding> encodings = new ArrayList<>();
    texts.forEach(text -> encodings.add(prompts.get(text)));
    forgetOldest();
    return encodings;
  }

  private PromptEncoding made(String text, Progress progress) {
    PromptEncoding encoding = model.encode(text);
    kept().ifPresent(cache -> cache.put(text, encoding, progress));
    return encoding;
  }

  /** Where prompts are kept from run to run, if they are. */
  private Optional<PromptCache> kept() {
    if (kept.isEmpty() && options.promptCache().isPresent()) {
      String type = options.dtype() + " on " + options.device();
      kept =
          model
              .textIdentity()
              .map(text -> new PromptCache(options.promptCache().get(), text + " " + type));
    }
    return kept;
  }

  /** What the model makes of a request's picture; that of the last one is not made again. */
  private PromptEncoding image(Path file, VideoRequest request, StageClock clock) {
    String identity =
        Sha256.of(file) + " " + request.frames() + " " + request.width() + " " + request.height();
    if (!lastImage.containsKey(identity)) {
      forgetImage();
      if (residency == Residency.STAGED) {
        for (VideoPart part : VideoPart.values()) {
          model.release(part);
        }
      }
      clock.time(
          Stage.IMAGE,
          () ->
              lastImage.put(
                  identity,
                  model.encodeImage(
                      Resampling.LANCZOS.cover(
                          VideoFile.firstFrame(file), request.width(), request.height()),
                      request)));
    }
    return lastImage.get(identity);
  }

  private void forgetImage() {
    lastImage.values().forEach(PromptEncoding::close);
    lastImage.clear();
  }

  private static void noteDropped(List<PromptEncoding> branches, Progress progress) {
    for (int i = 0; i < branches.size(); i++) {
      int dropped = branches.get(i).dropped();
      if (dropped > 0) {
        progress.note(
            "The "
                + (i == 0 ? "prompt" : "negative prompt")
                + " is too long for the text encoder: its last "
                + dropped
                + (dropped == 1 ? " token is" : " tokens are")
                + " left out");
      }
    }
  }

  private void forgetOldest() {
    Iterator<PromptEncoding> oldest = prompts.values().iterator();
    while (prompts.size() > PROMPTS) {
      oldest.next().close();
      oldest.remove();
    }
  }

  /** Loads every part that may stay, so that damaged weights are found before any work is done. */
  private void loadAll(VideoRequest request, StageClock clock) {
    if (residency == Residency.KEEP) {
      boolean known =
          kept().map(cache -> texts(request).stream().allMatch(cache::has)).orElse(false);
      for (VideoPart part : VideoPart.values()) {
        if (part != VideoPart.TEXT || !known) {
          load(part, clock);
        }
      }
    }
  }

  /** Makes sure that a part is there and, if memory is short, that no other is. */
  void load(VideoPart part, StageClock clock) {
    if (residency == Residency.STAGED) {
      for (VideoPart other : VideoPart.values()) {
        if (other != part) {
          model.release(other);
        }
      }
    }
    if (!model.isLoaded(part)) {
      clock.time(Stage.LOAD, () -> model.load(part));
    }
  }

  /** Latents to frames; loads the decoder if it is not there. */
  void decode(Tensor latents, FrameSink sink, StageClock clock, Progress progress) {
    load(VideoPart.DECODER, clock);
    long start = System.nanoTime();
    try (Scope scope = Scope.open()) {
      progress.begin(Stage.DECODE, (int) model.videoLatents(latents).size(2));
      model.decode(latents, sink);
    }
    double seconds = StageClock.since(start);
    clock.add(Stage.DECODE, seconds);
    progress.end(Stage.DECODE, seconds);
  }

  static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (java.io.IOException e) {
      throw new dev.gossamer.tensor.failure.EnvironmentException(
          "Cannot delete " + file + ": " + PartFile.reason(e), "Delete it by hand", e);
    }
  }

  @Override
  public void close() {
    prompts.values().forEach(PromptEncoding::close);
    prompts.clear();
    forgetImage();
    model.close();
    threads.close();
  }
}
