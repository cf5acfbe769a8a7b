package dev.gossamer.cli;

import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.calibration.ClusterCalibration;
import dev.gossamer.bench.moe.RunComparison;
import dev.gossamer.bench.plan.PaperTables;
import dev.gossamer.bench.plan.PlanChart;
import dev.gossamer.bench.plan.PlanTable;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.PaperComparison;
import dev.gossamer.moe.plan.PlanReport;
import dev.gossamer.moe.plan.PlannedModel;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer plan}: what a mixture of experts would cost on a cluster. */
@Command(
    name = "plan",
    description = {
      "Plan a mixture of experts on a cluster.",
      "Computes step time, communication and memory of the vanilla, fine-grained and BigMac"
          + " structures from the model's counts and the cluster's figures, over ranks and top-k, and"
          + " says whether BigMac pays. Nothing is measured and nothing runs, but with --calibrate."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class PlanCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @ArgGroup(validate = false, heading = "%nThe model%n")
  private PlannedModelArguments model = new PlannedModelArguments();

  @ArgGroup(validate = false, heading = "%nThe cluster, and how it is used%n")
  private PlanArguments plan = new PlanArguments();

  @ArgGroup(validate = false, heading = "%nThe output%n")
  private Output output = new Output();

  @ArgGroup(validate = false, heading = "%nMeasured instead%n")
  private Measured measured = new Measured();

  @ArgGroup(validate = false, heading = "%nThe ranks of --calibrate%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  /** What is shown. */
  static final class Output {
    @Option(
        names = "--paper",
        description =
            "Print the BigMac paper's tables 1, 3, 4, 9 and figures 3 and 4 beside ours instead; all"
                + " other options but --json are ignored.")
    private boolean paper;

    @Option(
        names = "--chart",
        paramLabel = "FILE",
        description = "Also draw step time and communication share against ranks and top-k, a PNG.")
    private Path chart;

    @Option(
        names = "--json",
        description = "Print one JSON document to stdout, the table to stderr.")
    private boolean json;
  }

  /** What is measured, or held against measurements. */
  static final class Measured {
    @Option(
        names = "--calibrate",
        paramLabel = "FILE",
        description =
            "Measure this machine, or the ranks that launch, lab, torchrun or srun started, and"
                + " write a profile for --cluster; the model is ignored.")
    private Path calibrate;

    @Option(
        names = "--threads",
        paramLabel = "N",
        description =
            "Processor threads of each rank of --calibrate (default: all cores for one rank, else"
                + " 1).")
    private Integer threads;

    @Option(
        names = "--compare",
        paramLabel = "RUN",
        description =
            "Predict what a file of bench moe --json measured, and print how far off that is; the"
                + " model is the run's.")
    private Path compare;

    int threads(int ranks) {
      if (threads != null && threads < 1) {
        throw new UsageException(threads + " threads", "Use 1 or more");
      }
      return threads != null ? threads : ranks == 1 ? Threads.available() : 1;
    }
  }

  PlanCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    if (output.paper) {
      PaperComparison comparison = PaperComparison.compute();
      print(comparison.document(), PaperTables.of(comparison));
      return 0;
    }
    if (measured.calibrate != null && measured.compare != null) {
      throw new UsageException("Both --calibrate and --compare", "Use one after the other");
    }
    if (measured.calibrate != null) {
      calibrate(new PartFile(measured.calibrate)); // refuses before anything is measured
      return 0;
    }
    if (measured.threads != null || ranks.given()) {
      throw new UsageException(
          "--threads and the options of ranks are given without --calibrate",
          "Add --calibrate FILE, or drop them");
    }
    if (measured.compare != null) {
      RunComparison comparison = RunComparison.of(measured.compare, plan.cluster());
      print(comparison.document(), comparison.table());
      return 0;
    }
    PlannedModel planned = model.model();
    ClusterProfile cluster = plan.cluster();
    PlanReport report = PlanReport.of(planned, cluster, plan.settings(planned, cluster));
    Optional<PartFile> picture = Optional.ofNullable(output.chart).map(PartFile::new);
    print(report.document(), PlanTable.of(report));
    // Last, as a machine without fonts can still print.
    picture.ifPresent(file -> PlanChart.write(report, file.target()));
    return 0;
  }

  private void calibrate(PartFile file) {
    ranks.run(
        world -> {
          int own = measured.threads(world.size());
          try (Threads pool = new Threads(own)) {
            ClusterCalibration calibration =
                ClusterCalibration.run(
                    world, ranks.perNode(), pool, BenchArguments.progress(terminal, interrupted));
            if (world.rank() == 0) {
              String profile = BenchReport.json(calibration.profile().document());
              PartFile.write(file.target(), profile.getBytes(StandardCharsets.UTF_8));
              print(calibration.document(), calibration.table());
            }
          }
        });
  }

  private void print(Map<String, Object> document, String table) {
    (output.json ? terminal.err() : terminal.out()).println(table);
    if (output.json) {
      terminal.out().println(BenchReport.json(document));
    }
  }
}
