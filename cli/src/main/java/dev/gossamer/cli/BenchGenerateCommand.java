package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.bench.video.GenerateBench;
import dev.gossamer.bench.video.GenerateBenchSettings;
import dev.gossamer.bench.video.VideoQuality;
import dev.gossamer.bench.video.VideoQualityReport;
import dev.gossamer.bench.video.VideoQualitySettings;
import dev.gossamer.bench.video.VideoSize;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer bench generate}: whole videos against dense. */
@Command(
    name = "generate",
    description = {
      "Time whole videos, stage by stage, against dense attention.",
      "With --quality it makes ten prompts with every preset and rival and compares their frames"
          + " with dense ones instead; that takes an hour on two cores, and a second run goes on"
          + " where the first was stopped."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BenchGenerateCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Option(
      names = "--subjects",
      paramLabel = "LIST",
      description =
          "Attentions, each NAME[@DENSITY][+setting=value...] with the name of a preset or a method"
              + " (default: default; with --quality all presets and rivals).")
  private String subjects;

  @Option(
      names = "--size",
      paramLabel = "WxH",
      split = ",",
      converter = FrameSize.Converter.class,
      description =
          "Width and height in pixels, several separated by commas (default: 256x256,128x128; with"
              + " --quality 256x256 alone).")
  private List<FrameSize> sizes = List.of();

  @Option(
      names = "--frames",
      paramLabel = "N",
      description = "Frames, a multiple of 4 plus 1 (default: the checkpoint's, mini model 33).")
  private Integer frames;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Denoising steps (default: the checkpoint's, mini model 20).")
  private Integer steps;

  @Option(
      names = "--prompts",
      paramLabel = "FILE",
      description = "With --quality: what to draw, one per line (default: ten prompts).")
  private Path prompts;

  @ArgGroup(validate = false, heading = "%nThe model%n")
  private ModelArguments model = new ModelArguments();

  @Mixin private BenchArguments bench;
  @Mixin private CommonArguments common;

  BenchGenerateCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    BenchProgress progress = BenchArguments.progress(terminal, interrupted);
    if (bench.quality().isPresent()) {
      writeQuality(bench.quality().get(), progress);
      return 0;
    }
    GenerateBenchSettings settings = GenerateBenchSettings.of(model.folder(), model.options());
    if (subjects != null) {
      settings = settings.withSubjects(AttentionSubject.parseAll(subjects));
    }
    if (!sizes.isEmpty()) {
      settings = settings.withSizes(sizes());
    }
    if (frames != null) {
      settings = settings.withFrames(frames);
    }
    if (steps != null) {
      settings = settings.withSteps(steps);
    }
    if (bench.runs().isPresent()) {
      settings = settings.withRuns(bench.runs().get());
    }
    BenchReport report = GenerateBench.run(settings, progress);
    bench.print(terminal, report, GenerateBench.table(report));
    return 0;
  }

  private void writeQuality(Path folder, BenchProgress progress) {
    VideoQualitySettings settings = VideoQualitySettings.of(model.folder(), model.options());
    if (subjects != null) {
      settings = settings.withSubjects(AttentionSubject.parseAll(subjects));
    }
    if (prompts != null) {
      settings = settings.withPrompts(PromptList.read(prompts).prompts());
    }
    if (!sizes.isEmpty()) {
      settings = settings.withSize(sizes().get(0));
    }
    if (frames != null) {
      settings = settings.withFrames(frames);
    }
    if (steps != null) {
      settings = settings.withSteps(steps);
    }
    VideoQualityReport report = VideoQuality.run(settings, folder, progress);
    report.write(folder);
    bench.print(terminal, report.json(), report.table());
  }

  private List<VideoSize> sizes() {
    return sizes.stream().map(size -> new VideoSize(size.width(), size.height())).toList();
  }
}
