package dev.gossamer.video;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.video.media.ExplainSheet;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Frames;
import dev.gossamer.video.media.Mp4Settings;
import dev.gossamer.video.media.Mp4Writer;
import dev.gossamer.video.media.Psnr;
import dev.gossamer.video.media.SideBySide;
import dev.gossamer.video.media.Ssim;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** One video with everything that is written beside it. */
final class VideoRun {
  private static final String LATENTS = "latents";
  private static final int TITLE = 200;

  /** Pixels that a comparison may add around two videos. */
  private static final int BORDER = 32;

  private final VideoEngine engine;
  private final VideoRequest request;
  private final RunOptions run;
  private final Progress progress;
  private final StageClock clock;
  private final ReportDraft report;

  VideoRun(
      CheckpointSource source,
      VideoEngine engine,
      MemoryPlan memory,
      VideoRequest request,
      RunOptions run,
      Progress progress) {
    this.engine = engine;
    this.request = request;
    this.run = run;
    this.progress = progress;
    this.clock = new StageClock(progress);
    this.report = new ReportDraft(source, engine, memory, request, run);
  }

  /**
   * Finds out before anything is loaded what would fail later.
   *
   * @throws UsageException if the request and the options do not fit each other
   * @throws BadInputException if a file that is to be read cannot be used
   * @throws EnvironmentException if nothing can be written
   */
  static void check(VideoModel model, VideoRequest request, RunOptions run) {
    int fps = model.defaults().framesPerSecond();
    Mp4Settings.of(request.width(), request.height(), fps);
    if (run.has(RunOptions.Extra.COMPARE)) {
      Mp4Settings.of(2 * request.width() + BORDER, request.height() + BORDER, fps);
    }
    for (int step : run.explain()) {
      if (step >= request.steps()) {
        throw new UsageException(
            "Cannot explain step " + step + " of " + request.steps(),
            "Steps count from 0 to " + (request.steps() - 1));
      }
    }
    if (run.noise().isPresent()) {
      try (Scope scope = Scope.open()) {
        noise(run.noise().get(), model.latentShape(request));
      }
    }
    run.checkFiles();
  }

  private static Tensor noise(Path file, long[] shape) {
    Tensor noise = latents(file);
    if (!Arrays.equals(noise.shape(), shape)) {
      throw new BadInputException(
          "Cannot start from " + file + ": its latents are " + Arrays.toString(noise.shape()),
          "This request needs " + Arrays.toString(shape));
    }
    return noise;
  }

  /** The tensor {@code latents} of a file, float32, checked for numbers that are not finite. */
  private static Tensor latents(Path file) {
    Tensor stored = SafetensorsFile.open(file).tensor(LATENTS);
    if (!stored.dtype().isFloating() || stored.dims() != 5 || stored.count() == 0) {
      throw new BadInputException(
          "Cannot use " + file + ": its latents are " + Arrays.toString(stored.shape()),
          "Expected numbers [1, channels, frames, height, width]");
    }
    Tensor latents = stored.to(DType.FLOAT32).copy();
    if (!latents.isFinite().all().isTrue()) {
      throw new BadInputException(
          "Cannot use " + file + ": its latents hold NaN or infinite numbers", "Make them anew");
    }
    return latents;
  }

  /** Makes everything that was asked for. */
  VideoResult make() {
    try (Scope scope = Scope.open()) {
      Tensor noise =
          run.noise().isPresent()
              ? noise(run.noise().get(), engine.model().latentShape(request))
              : engine.noise(request);
      Optional<PreviewFile> preview =
          run.has(RunOptions.Extra.PREVIEW)
              ? Optional.of(
                  new PreviewFile(report.folder(), engine, run.files().preview(), progress))
              : Optional.empty();
      VideoEngine.Drawn drawn = engine.draw(draft(), noise, clock, progress, observer(preview));
      clock.add(Stage.TRANSFORMER, drawn.seconds());
      report.noise(noise).drawn(drawn);
      try {
        return write(noise, drawn, preview);
      } catch (EnvironmentException e) {
        throw latentsKept(e);
      }
    }
  }

  /** All files of the finished latents, and the comparison. */
  private VideoResult write(Tensor noise, VideoEngine.Drawn drawn, Optional<PreviewFile> preview) {
    run.saveLatents().ifPresent(file -> saveLatents(file, drawn));
    try (FrameOutputs frames = outputs()) {
      decode(drawn.latents(), frames);
      clock.time(Stage.WRITE, () -> write(frames));
      report.frames(frames);
      report.output(run.files().video()).output(run.files().sheet());
      run.saveFrames().ifPresent(report::output);
      run.saveLatents().ifPresent(report::output);
      List<Path> explanations = explain(frames, drawn.attention());
      Optional<Path> beside =
          run.has(RunOptions.Extra.COMPARE)
              ? Optional.of(compare(noise, drawn, frames))
              : Optional.empty();
      return finish(explanations, beside, preview.flatMap(PreviewFile::written));
    }
  }

  /** A failure after the long part of the run, with word of what that left. */
  private EnvironmentException latentsKept(EnvironmentException e) {
    return e.getCause() instanceof ClosedByInterruptException
        ? e // a wish to stop: see Interruptible
        : new EnvironmentException(
            e.getMessage(),
            "The latents are in "
                + run.files().latents()
                + "; run the same command with --resume then, or 'gossamer decode' on them",
            e);
  }

  private VideoEngine.Draft draft() {
    return new VideoEngine.Draft(
        request,
        Stage.TRANSFORMER,
        Optional.of(run.files().resume()),
        Optional.of(run.files().latents()),
        run.has(RunOptions.Extra.RESUME),
        run.saveLatents().isPresent(),
        run.explain());
  }

  private Denoising.Observer observer(Optional<PreviewFile> preview) {
    return (done, denoising) -> {
      boolean due = done % run.previewEvery() == 0 || done == request.steps();
      if (preview.isPresent() && due) {
        preview.get().write(denoising.estimate(), request, clock);
      }
    };
  }

  private void saveLatents(Path file, VideoEngine.Drawn drawn) {
    Map<String, Tensor> all = new LinkedHashMap<>(drawn.trajectory());
    all.put(LATENTS, drawn.latents());
    SafetensorsWriter.write(file, all, Map.of());
  }

  private FrameOutputs outputs() {
    Set<FrameOutputs.Keep> keep = EnumSet.noneOf(FrameOutputs.Keep.class);
    if (run.has(RunOptions.Extra.COMPARE)) {
      keep.add(FrameOutputs.Keep.PIXELS);
    }
    if (run.saveFrames().isPresent()) {
      keep.add(FrameOutputs.Keep.FLOATS);
    }
    return new FrameOutputs(
        new FrameOutputs.Plan(
            request.frames(),
            request.width(),
            request.height(),
            engine.model().defaults().framesPerSecond(),
            engine.model().geometry(),
            run.files().video(),
            title(request.prompt()),
            keep),
        progress);
  }

  /** A prompt as the title of a file: one line, not too long, nothing that is no letter. */
  static String title(String prompt) {
    String line = prompt.replaceAll("[\\p{Cntrl}\\s]+", " ").strip();
    return line.codePointCount(0, line.length()) <= TITLE
        ? line
        : line.substring(0, line.offsetByCodePoints(0, TITLE));
  }

  private void decode(Tensor latents, FrameOutputs frames) {
    try {
      engine.decode(latents, frames, clock, progress);
    } catch (InterruptedRunException e) {
      throw new InterruptedRunException(
          e.getMessage() + "; the latents are in " + run.files().latents(),
          "Run the same command with --resume, or 'gossamer decode' on them",
          e);
    }
    clock.add(Stage.DECODE, -frames.seconds());
    clock.add(Stage.WRITE, frames.seconds());
  }

  private void write(FrameOutputs frames) {
    frames.finish();
    frames.writeSheet(run.files().sheet());
    run.saveFrames().ifPresent(frames::writeFloats);
  }

  private List<Path> explain(FrameOutputs frames, AttentionReport attention) {
    List<Path> pictures = new ArrayList<>();
    for (int step : run.explain().stream().sorted().toList()) {
      Optional<ExplainSheet> sheet =
          Explanation.of(
              step, request, engine.model().tokens(request), attention, frames.ofEachLatentFrame());
      if (sheet.isPresent()) {
        Path picture = run.files().explanation(step);
        sheet.get().write(picture);
        pictures.add(picture);
        report.output(picture);
      } else {
        progress.note("Step " + step + " has no clusters to explain: all its attention was dense");
      }
    }
    return pictures;
  }

  /** Draws the same with dense attention and sets both side by side. */
  private Path compare(Tensor noise, VideoEngine.Drawn drawn, FrameOutputs ours) {
    VideoEngine.Draft draft =
        new VideoEngine.Draft(
            request.withAttention(new DenseAttention()),
            Stage.DENSE,
            Optional.of(run.files().denseResume()),
            Optional.of(run.files().denseLatents()),
            run.has(RunOptions.Extra.RESUME),
            false,
            Set.of());
    double shared = clock.of(Stage.TEXT) + clock.of(Stage.DECODE) + clock.of(Stage.WRITE);
    StageClock other = new StageClock(progress);
    VideoEngine.Drawn dense = engine.draw(draft, noise, other, progress, (done, loop) -> {});
    List<Frame> decoded = new ArrayList<>();
    engine.decode(
        dense.latents(),
        chunk -> Frames.ofChannelsFirst(chunk).forEach(decoded::add),
        other,
        progress);
    clock.add(Stage.DENSE, dense.seconds() + other.of(Stage.DECODE));
    clock.addEarlier(other.earlier());
    Path file = run.files().compareVideo();
    clock.time(Stage.WRITE, () -> besides(file, ours.pixels(), new Frames(decoded)));
    report.comparison(comparison(ours.pixels(), new Frames(decoded), drawn, dense, shared));
    report.output(file);
    return file;
  }

  private static RunReport.Comparison comparison(
      Frames ours, Frames theirs, VideoEngine.Drawn drawn, VideoEngine.Drawn dense, double shared) {
    Psnr psnr = Psnr.of(ours, theirs);
    Ssim ssim = Ssim.of(ours, theirs);
    double denseAttention = dense.attention().seconds();
    // Machines differ from day to day: only seconds of one sitting make a ratio.
    double comparable = drawn.resumed() || dense.resumed() ? Double.NaN : 1;
    return new RunReport.Comparison(
        psnr.mean(),
        ssim.mean(),
        comparable * denseAttention / drawn.attention().seconds(),
        comparable * (shared + dense.seconds()) / (shared + drawn.seconds()),
        denseAttention,
        dense.seconds(),
        dense.stepSeconds(),
        psnr.perFrame(),
        ssim.perFrame());
  }

  private void besides(Path file, Frames ours, Frames theirs) {
    SideBySide both = new SideBySide(request.attention().name(), "dense");
    Frame first = both.of(ours.get(0), theirs.get(0));
    int fps = engine.model().defaults().framesPerSecond();
    try (Mp4Writer video = Mp4Writer.open(file, first.width(), first.height(), fps)) {
      for (int i = 0; i < ours.count(); i++) {
        video.add(both.of(ours.get(i), theirs.get(i)));
      }
      video.finish();
    }
  }

  private VideoResult finish(
      List<Path> explanations, Optional<Path> beside, Optional<Path> preview) {
    RunFiles files = run.files();
    boolean keep = run.has(RunOptions.Extra.KEEP_LATENTS);
    RunReport written = report.write(files.report(), clock);
    if (!keep) {
      VideoEngine.delete(files.latents());
    }
    VideoEngine.delete(files.denseLatents());
    return new VideoResult(
        written,
        files,
        beside,
        preview,
        explanations,
        keep ? Optional.of(files.latents()) : Optional.empty());
  }

  /** Makes a video of latents that were saved. */
  static DecodedVideo decode(VideoEngine engine, Path file, RunOptions run, Progress progress) {
    StageClock clock = new StageClock(progress);
    VideoModel model = engine.model();
    try (Scope scope = Scope.open()) {
      Tensor latents = latents(file);
      VideoGeometry geometry = model.geometry();
      int frames = geometry.frames((int) model.videoLatents(latents).size(2));
      int height = (int) latents.size(3) * geometry.pixelStride();
      int width = (int) latents.size(4) * geometry.pixelStride();
      run.checkFiles();
      int fps = model.defaults().framesPerSecond();
      try (FrameOutputs outputs =
          new FrameOutputs(
              new FrameOutputs.Plan(
                  frames,
                  width,
                  height,
                  fps,
                  geometry,
                  run.files().video(),
                  "",
                  run.saveFrames().isPresent() ? Set.of(FrameOutputs.Keep.FLOATS) : Set.of()),
              progress)) {
        engine.decode(latents, outputs, clock, progress);
        outputs.finish();
        outputs.writeSheet(run.files().sheet());
        run.saveFrames().ifPresent(outputs::writeFloats);
        return new DecodedVideo(
            run.files().video(),
            run.files().sheet(),
            frames,
            width,
            height,
            clock.seconds().get("total"),
            outputs.sha256());
      }
    }
  }
}
