package dev.gossamer.cli;

import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.Phase;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.moe.plan.PlanSettings.Activations;
import dev.gossamer.moe.plan.PlanSettings.Optimizer;
import dev.gossamer.moe.plan.PlannedModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.settings.Words;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Option;

/** The options that say on what, and how, a planned model runs. */
final class PlanArguments {
  @Option(
      names = "--cluster",
      paramLabel = "NAME|FILE",
      description =
          "paper-cluster, a100-infiniband, h100-infiniband, pcie-host, cpu-host, or a JSON file"
              + " (default: ${DEFAULT-VALUE}).")
  private String cluster = ClusterProfile.PRESETS.get(0);

  @Option(names = "--ranks", paramLabel = "N", description = "Ranks (default: the cluster's).")
  private Integer ranks;

  @Option(
      names = "--expert-parallel",
      paramLabel = "N",
      description =
          "Ranks that share one set of experts (default: the most that divide the ranks and have an"
              + " expert each).")
  private Integer expertParallel;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Tokens of a rank in a micro-batch (default: 4096).")
  private Integer tokens;

  @Option(
      names = "--micro-batches",
      paramLabel = "N",
      description = "Micro-batches of a step (default: ${DEFAULT-VALUE}).")
  private int microBatches = 1;

  @Option(
      names = "--phase",
      paramLabel = "NAME",
      description = "train or forward (default: ${DEFAULT-VALUE}).")
  private String phase = "train";

  @Option(
      names = "--dispatch",
      paramLabel = "NAME",
      description =
          "How rows travel: flat, two-level, deduplicated; the table shows all, the rest is about"
              + " this one (default: ${DEFAULT-VALUE}).")
  private String dispatch = "flat";

  @Option(
      names = "--chunks",
      paramLabel = "N",
      description =
          "Pieces of a micro-batch whose communication and experts overlap; 1 for no overlap"
              + " (default: ${DEFAULT-VALUE}).")
  private int chunks = 1;

  @Option(
      names = "--wire",
      paramLabel = "DTYPE",
      description = "What travels: fp32, bf16 or fp16 (default: the cluster's).")
  private String wire;

  @Option(
      names = "--imbalance",
      paramLabel = "X",
      description =
          "Rows of the busiest rank over the mean, or the capacity factor (default:"
              + " ${DEFAULT-VALUE}).")
  private double imbalance = 1;

  @Option(
      names = "--activations",
      paramLabel = "NAME",
      description =
          "Whether a rank's fit counts inner activations: kept or recomputed (default:"
              + " ${DEFAULT-VALUE}).")
  private String activations = "recomputed";

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      description = "Optimiser state: replicated or sharded (default: ${DEFAULT-VALUE}).")
  private String optimizer = "replicated";

  /** Whether a word names a file and not a preset. */
  static boolean isFile(String word) {
    return word.contains("/") || word.toLowerCase(Locale.ROOT).endsWith(".json");
  }

  /**
   * @throws dev.gossamer.tensor.failure.GossamerException if there is no such cluster, or its file
   *     is wrong
   */
  ClusterProfile cluster() {
    return isFile(cluster) ? ClusterProfile.read(Path.of(cluster)) : ClusterProfile.preset(cluster);
  }

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if the values do not fit each other
   */
  PlanSettings settings(PlannedModel model, ClusterProfile profile) {
    PlanSettings usual = PlanSettings.of(model, profile);
    PlanSettings spread = ranks == null ? usual : usual.withRanks(ranks, model, profile);
    return new PlanSettings(
        Words.choose(Phase.class, "phase", phase),
        spread.ranks(),
        expertParallel == null ? spread.expertParallel() : expertParallel,
        tokens == null ? usual.tokens() : tokens,
        microBatches,
        Words.choose(Dispatch.class, "dispatch", dispatch),
        chunks,
        wire == null ? profile.wire() : DType.ofOption(wire),
        imbalance,
        Words.choose(Activations.class, "activations", activations),
        Words.choose(Optimizer.class, "optimizer", optimizer));
  }
}
