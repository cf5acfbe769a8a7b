package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.attention.AttentionBench;
import dev.gossamer.bench.attention.AttentionBenchSettings;
import dev.gossamer.bench.attention.AttentionQuality;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.bench.attention.CardBench;
import dev.gossamer.bench.attention.CardCase;
import dev.gossamer.bench.attention.QualityReport;
import dev.gossamer.bench.attention.QualitySettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer bench attention}: one self-attention against dense. */
@Command(
    name = "attention",
    description = {
      "Time one self-attention against dense attention.",
      "Works on queries, keys and values captured from the mini model; about two minutes on two"
          + " cores. With --quality it measures recall and error of every preset, scorer and rival"
          + " instead."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BenchAttentionCommand implements Callable<Integer> {
  private static final int CARD_RUNS = 9;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Option(
      names = "--subjects",
      paramLabel = "LIST",
      description =
          "Attentions, each NAME[@DENSITY][+setting=value...] with the name of a preset or a method"
              + " (default: paper@.25,cluster@.25,default,svg2@.25,sparge@.25).")
  private String subjects;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      split = ",",
      description =
          "Sweep over the first tokens of the largest captured head, multiples of 1024, for example"
              + " 2048,4096,8192,16384 (default: the captured heads whole).")
  private List<Integer> tokens = List.of();

  @Option(
      names = "--heads",
      paramLabel = "N",
      description = "Heads, all of the same content (default: ${DEFAULT-VALUE}).")
  private int heads = AttentionBenchSettings.defaults().heads();

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Processor threads that compute (default: all cores, here ${DEFAULT-VALUE}).")
  private int threads = Threads.available();

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description =
          "cpu, or cuda or cuda:N: then shapes of released models in random numbers, against"
              + " libtorch's dense attention on the card (default: ${DEFAULT-VALUE}).")
  private String device = "cpu";

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description =
          "Type of the numbers on a card: bf16, fp16 or fp32 (default: ${DEFAULT-VALUE}).")
  private String dtype = "bf16";

  @Option(
      names = "--shapes",
      paramLabel = "LIST",
      split = ",",
      description =
          "Shapes on a card: wan-1.3b, cogvideox-2b, wan-14b, hunyuan-81, hunyuan-129, hunyuan-176k"
              + " (default: all).")
  private List<String> shapes = List.of();

  @Mixin private BenchArguments bench;
  @Mixin private CommonArguments common;

  BenchAttentionCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    BenchProgress progress = BenchArguments.progress(terminal, interrupted);
    Device where = Device.of(device);
    if (!where.isCpu()) {
      measureCard(where, progress);
      return 0;
    }
    if (!shapes.isEmpty()) {
      throw new UsageException("--shapes is for a card", "Add --device cuda");
    }
    if (bench.quality().isPresent()) {
      writeQuality(bench.quality().get(), progress);
      return 0;
    }
    AttentionBenchSettings settings =
        AttentionBenchSettings.defaults().withTokens(tokens).withHeads(heads).withThreads(threads);
    if (subjects != null) {
      settings = settings.withSubjects(AttentionSubject.parseAll(subjects));
    }
    if (bench.runs().isPresent()) {
      settings = settings.withRuns(bench.runs().get());
    }
    BenchReport report = AttentionBench.run(settings, progress);
    bench.print(terminal, report, AttentionBench.table(report));
    return 0;
  }

  private void measureCard(Device card, BenchProgress progress) {
    if (bench.quality().isPresent() || !tokens.isEmpty()) {
      throw new UsageException(
          "--quality and --tokens work on captured heads, on a processor",
          "Leave them out, or leave --device out");
    }
    CardBench.Settings settings =
        new CardBench.Settings(
            card,
            DType.ofOption(dtype),
            shapes.isEmpty()
                ? List.of(CardCase.values())
                : shapes.stream().map(CardCase::ofOption).toList(),
            subjects == null
                ? CardBench.Settings.usualSubjects()
                : AttentionSubject.parseAll(subjects),
            bench.runs().orElse(CARD_RUNS));
    BenchReport report = CardBench.run(settings, progress);
    bench.print(terminal, report, CardBench.table(report));
  }

  private void writeQuality(Path folder, BenchProgress progress) {
    QualityReport report =
        AttentionQuality.run(QualitySettings.defaults().withThreads(threads), progress);
    report.write(folder);
    bench.print(terminal, report.json(), folder.resolve(QualityReport.PAGE).toString());
  }
}
