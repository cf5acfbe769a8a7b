package dev.gossamer.video;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.ResidentMemory;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.files.PartFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** A {@link RunReport} while its run goes on: told of each thing as it happens. */
final class ReportDraft {
  private final CheckpointSource source;
  private final VideoEngine engine;
  private final MemoryPlan memory;
  private final VideoRequest request;
  private final RunOptions run;
  private final List<FileFingerprint> outputs = new ArrayList<>();
  private AttentionReport attention = new AttentionReport(List.of(), List.of());
  private List<Double> stepSeconds = List.of();
  private Optional<RunReport.Comparison> comparison = Optional.empty();
  private String noise = "";
  private String latents = "";
  private String frames = "";

  ReportDraft(
      CheckpointSource source,
      VideoEngine engine,
      MemoryPlan memory,
      VideoRequest request,
      RunOptions run) {
    this.source = source;
    this.engine = engine;
    this.memory = memory;
    this.request = request;
    this.run = run;
  }

  Path folder() {
    return source.place();
  }

  ReportDraft noise(Tensor start) {
    noise = sha(start);
    return this;
  }

  ReportDraft drawn(VideoEngine.Drawn drawn) {
    attention = drawn.attention();
    stepSeconds = drawn.stepSeconds();
    latents = sha(drawn.latents());
    return this;
  }

  private static String sha(Tensor tensor) {
    try (Scope scope = Scope.open()) {
      return new Sha256().add(tensor.to(dev.gossamer.tensor.Device.CPU).contiguous()).hex();
    }
  }

  ReportDraft frames(FrameOutputs decoded) {
    frames = decoded.sha256();
    return this;
  }

  ReportDraft output(Path file) {
    outputs.add(FileFingerprint.output(file));
    return this;
  }

  ReportDraft comparison(RunReport.Comparison result) {
    comparison = Optional.of(result);
    return this;
  }

  /** Writes the finished report; the file is whole or what it was before. */
  RunReport write(Path file, StageClock clock) {
    RunReport report = finished(clock);
    PartFile.write(file, (report.json() + "\n").getBytes(StandardCharsets.UTF_8));
    return report;
  }

  private RunReport finished(StageClock clock) {
    return new RunReport(
        RunReport.FORMAT,
        request.prompt(),
        request.negative(),
        request.seed(),
        settings(),
        versions(),
        Machine.here(),
        engine.model().tokens(request).tokens(),
        engine.model().cost(request),
        RunReport.Memory.of(memory),
        clock.seconds(),
        stepSeconds,
        ResidentMemory.now().peakBytes(),
        Card.takenBytes(engine.options().device()).orElse(0),
        AttentionSummary.of(attention),
        comparison,
        engine.weights(),
        noise,
        latents,
        frames,
        outputs);
  }

  private RunReport.Settings settings() {
    ModelOptions options = engine.options();
    VideoModel model = engine.model();
    return new RunReport.Settings(
        source.model().map(ReportDraft::absolute).orElse(""),
        parts(),
        options.loras().stream().map(RunReport.Lora::of).toList(),
        model.name(),
        request.frames(),
        request.width(),
        request.height(),
        request.steps(),
        request.guidance(),
        request.trueGuidance(),
        model.defaults().framesPerSecond(),
        RunReport.Attention.of(request.attention()),
        options.dtype().optionName(),
        options.decoderDtype().optionName(),
        options.device().toString(),
        options.threads(),
        engine.residency().name().toLowerCase(Locale.ROOT),
        options.tiles().name().toLowerCase(Locale.ROOT),
        options.offload().name().toLowerCase(Locale.ROOT),
        request.image().map(ReportDraft::absolute).orElse(""),
        run.noise().map(path -> path.toAbsolutePath().normalize().toString()).orElse(""),
        model.settings());
  }

  private Map<String, String> parts() {
    Map<String, String> parts = new TreeMap<>();
    source.parts().forEach((component, file) -> parts.put(component, absolute(file)));
    return parts;
  }

  private static String absolute(Path path) {
    return path.toAbsolutePath().normalize().toString();
  }

  private static Map<String, String> versions() {
    Map<String, String> versions = new TreeMap<>();
    String own = TextToVideo.class.getPackage().getImplementationVersion();
    versions.put("gossamer", own == null ? "development" : own);
    versions.put("java", Runtime.version().toString());
    versions.put("libtorch", Machine.backend().version());
    return versions;
  }
}
