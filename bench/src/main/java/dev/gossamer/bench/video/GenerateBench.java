package dev.gossamer.bench.video;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.ScratchFolder;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.tensor.ResidentMemory;
import dev.gossamer.video.Progress;
import dev.gossamer.video.RunOptions;
import dev.gossamer.video.RunReport;
import dev.gossamer.video.Stage;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * {@code gossamer bench generate}: how long whole videos take, stage by stage, against the same
 * videos with dense attention. First one video of each is made to warm up and to compare their
 * pixels; then videos are made in turn as {@code generate} makes them, files and all.
 */
public final class GenerateBench {
  /** The rival. */
  public static final String DENSE = "dense";

  private final GenerateBenchSettings settings;
  private final TextToVideo model;
  private final BenchProgress progress;
  private final List<BenchRow> rows = new ArrayList<>();
  private Optional<Double> firstStepSeconds = Optional.empty();

  private GenerateBench(GenerateBenchSettings settings, TextToVideo model, BenchProgress progress) {
    this.settings = settings;
    this.model = model;
    this.progress = progress;
  }

  /** Measures; takes minutes with the default settings. */
  public static BenchReport run(GenerateBenchSettings settings, BenchProgress progress) {
    MachineFacts machine = MachineFacts.now();
    try (TextToVideo model = TextToVideo.open(settings.model(), settings.options());
        ScratchFolder scratch = ScratchFolder.make()) {
      GenerateBench bench = new GenerateBench(settings, model, progress);
      for (VideoSize size : settings.sizes()) {
        bench.measure(size, scratch.path());
      }
      return new BenchReport(machine.document(), bench.document(), bench.rows);
    }
  }

  /** The table that a person reads. */
  public static String table(BenchReport report) {
    return GenerateTable.of(report);
  }

  private Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", model.model().name());
    document.put("prompt", settings.prompt());
    document.put("threads", settings.options().threads());
    document.put("dtype", settings.options().dtype().optionName());
    document.put("decoderDtype", settings.options().decoderDtype().optionName());
    document.put("runs", settings.runs());
    document.put("firstStepSeconds", firstStepSeconds.orElse(Double.NaN));
    Map<String, Object> subjects = new LinkedHashMap<>();
    settings
        .subjects()
        .forEach(subject -> subjects.put(subject.label(), subject.create().settings()));
    document.put("subjects", subjects);
    return document;
  }

  /** One attention at one size: a look at its video, then its reports. */
  private static final class Entrant {
    private final String name;
    private final VideoRequest request;
    private final SeenVideo seen;
    private final List<RunReport> reports = new ArrayList<>();

    Entrant(String name, VideoRequest request, SeenVideo seen) {
      this.name = name;
      this.request = request;
      this.seen = seen;
    }

    Timing timing(Function<RunReport, Double> seconds) {
      return new Timing(reports.stream().map(report -> 1000 * seconds.apply(report)).toList());
    }

    /** Median seconds per stage. */
    Map<String, Object> stages() {
      Map<String, Object> stages = new LinkedHashMap<>();
      for (String stage : reports.get(0).seconds().keySet()) {
        stages.put(stage, timing(report -> report.seconds().get(stage)).median() / 1000);
      }
      return stages;
    }
  }

  private void measure(VideoSize size, Path folder) {
    List<Entrant> entrants = new ArrayList<>();
    // The subject goes first: its time to the first step is that of a fresh process.
    for (AttentionSubject subject : settings.subjects()) {
      entrants.add(entrant(subject.label(), request(size, subject.create())));
    }
    entrants.add(entrant(DENSE, request(size, AttentionSubject.parse(DENSE).create())));
    List<Runnable> works = new ArrayList<>();
    for (Entrant entrant : entrants) {
      RunOptions run = RunOptions.to(folder.resolve("video-" + works.size()));
      works.add(
          () ->
              entrant.reports.add(
                  model.generate(entrant.request, run, SeenVideo.stoppable(progress)).report()));
    }
    progress.note(size + ": " + settings.runs() + " runs of each");
    List<Timing> whole = TurnByTurn.measure(works, settings.runs(), progress);
    int dense = entrants.size() - 1;
    for (int i = 0; i < dense; i++) {
      rows.add(row(size, entrants.get(i), entrants.get(dense), whole.get(i), whole.get(dense)));
    }
  }

  private VideoRequest request(VideoSize size, AttentionMethod method) {
    VideoRequest request =
        model
            .request(settings.prompt())
            .withSize(size.width(), size.height())
            .withAttention(method);
    if (settings.frames().isPresent()) {
      request = request.withFrames(settings.frames().getAsInt());
    }
    return settings.steps().isPresent() ? request.withSteps(settings.steps().getAsInt()) : request;
  }

  private Entrant entrant(String name, VideoRequest request) {
    progress.note(request.width() + "x" + request.height() + ": warming up " + name);
    return new Entrant(name, request, SeenVideo.make(model, request, watchingFirstStep()));
  }

  /** Notes how long after the start of this process the first denoising step began. */
  private Progress watchingFirstStep() {
    return new Progress() {
      @Override
      public void begin(Stage stage, int steps) {
        if (stage == Stage.TRANSFORMER && firstStepSeconds.isEmpty()) {
          firstStepSeconds = Optional.of(ManagementFactory.getRuntimeMXBean().getUptime() / 1000.0);
        }
      }

      @Override
      public boolean cancelled() {
        return progress.cancelled();
      }
    };
  }

  private static BenchRow row(
      VideoSize size, Entrant subject, Entrant dense, Timing timing, Timing denseTiming) {
    VideoRequest request = subject.request;
    String name = request.frames() + " frames " + size + ", " + request.steps() + " steps";
    Timing attention = subject.timing(report -> report.attention().seconds());
    Timing denseAttention = dense.timing(report -> report.attention().seconds());
    Map<String, Object> more = new LinkedHashMap<>();
    more.put("tokens", subject.reports.get(0).tokens());
    more.put("density", subject.seen.attention().density());
    more.put("pseudoKeys", subject.seen.attention().pseudoKeys());
    more.put("psnr", subject.seen.psnr(dense.seen).mean());
    more.put("ssim", subject.seen.ssim(dense.seen).mean());
    more.put("subjectStages", subject.stages());
    more.put("rivalStages", dense.stages());
    more.put("subjectAttentionMillis", attention.median());
    more.put("rivalAttentionMillis", denseAttention.median());
    more.put("attentionRatio", denseAttention.median() / attention.median());
    more.put("peakMemoryBytes", ResidentMemory.now().peakBytes());
    return new BenchRow(
        name,
        subject.name,
        DENSE,
        timing,
        denseTiming,
        subject.seen.relativeError(dense.seen),
        more);
  }
}
