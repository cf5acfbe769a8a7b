package dev.gossamer.cli;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.attention.AttentionBench;
import dev.gossamer.bench.attention.AttentionBenchSettings;
import dev.gossamer.bench.attention.AttentionQuality;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.bench.attention.QualityReport;
import dev.gossamer.bench.attention.QualitySettings;
import dev.gossamer.tensor.Threads;
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

  @Mixin private BenchArguments bench;
  @Mixin private CommonArguments common;

  BenchAttentionCommand(Terminal terminal, BooleanSupplier interrupted) {
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

  private void writeQuality(Path folder, BenchProgress progress) {
    QualityReport report =
        AttentionQuality.run(QualitySettings.defaults().withThreads(threads), progress);
    report.write(folder);
    bench.print(terminal, report.json(), folder.resolve(QualityReport.PAGE).toString());
  }
}
