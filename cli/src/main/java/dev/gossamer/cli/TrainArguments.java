package dev.gossamer.cli;

import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Option;

/** What is trained, and how: a configuration of which single values may be replaced. */
final class TrainArguments {
  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "JSON; docs/lm.md has every key. A run's own config.json is one.")
  private Path config;

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description =
          "tiny: a minute on the text that ships inside; small: a few million weights; speed: 64"
              + " experts, of which a token visits 8.")
  private String preset;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Folder of tokens (default: the configuration's; of a preset, the text inside).")
  private Path data;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Sequences of a step on all ranks (default: the configuration's).")
  private Integer batch;

  @Option(
      names = "--micro-batch",
      paramLabel = "N",
      description = "Sequences that a rank takes at once (default: the configuration's).")
  private Integer microBatch;

  @Option(
      names = "--sequence",
      paramLabel = "N",
      description = "Tokens of a sample (default: the model's context).")
  private Integer sequence;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "fp32, or bf16 with fp32 masters (default: the configuration's, fp32).")
  private String dtype;

  @Option(
      names = "--deterministic",
      paramLabel = "HOW",
      description =
          "run: the same bits on the same number of ranks; elastic: on any, slower (default: run).")
  private String deterministic;

  @Option(names = "--seed", paramLabel = "N", description = "Of weights and samples.")
  private Integer seed;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Any other key, parts divided by dots; null takes it away.")
  private Map<String, String> set = new LinkedHashMap<>();

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Processor threads of each rank (default: all cores for one rank, else 1).")
  private Integer threads;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description =
          "cpu, or cuda or cuda:N for a rank on a card; cuda with --backend nccl for several, each on"
              + " a card of its own (default: ${DEFAULT-VALUE}).")
  private String device = Device.CPU.toString();

  /** The configuration with what the command line replaces. */
  TrainConfig config() {
    return overridden(chosen());
  }

  /** Likewise; that of a preset if neither a configuration nor a preset is named. */
  TrainConfig configOr(String otherwise) {
    if (config == null && preset == null) {
      preset = otherwise;
    }
    return config();
  }

  /** Likewise; that of a run which goes on, where there is one and nothing is named. */
  TrainConfig configOf(Path run) {
    boolean own = config == null && preset == null && Files.isRegularFile(run);
    return own ? overridden(TrainConfig.of(run)) : config();
  }

  private TrainConfig chosen() {
    if ((config == null) == (preset == null)) {
      throw new UsageException(
          config == null ? "Neither --config nor --preset" : "Both --config and --preset",
          "Name one of them, for example --preset tiny");
    }
    return config != null ? TrainConfig.of(config) : TrainConfig.preset(preset);
  }

  private TrainConfig overridden(TrainConfig from) {
    Map<String, Object> given = new LinkedHashMap<>();
    given.put("batch", batch);
    given.put("microBatch", microBatch);
    given.put("sequence", sequence);
    given.put("dtype", dtype);
    given.put("deterministic", deterministic);
    given.put("seed", seed);
    TrainConfig changed = from;
    for (Map.Entry<String, Object> entry : given.entrySet()) {
      if (entry.getValue() != null) {
        changed = changed.with(entry.getKey(), entry.getValue().toString());
      }
    }
    for (Map.Entry<String, String> entry : set.entrySet()) {
      changed = changed.with(entry.getKey(), entry.getValue());
    }
    return changed;
  }

  /**
   * The folder of tokens.
   *
   * @param inside where those of the text that ships inside go
   * @param first whether this rank makes them
   */
  Path tokens(TrainConfig chosen, Path inside, boolean first) {
    Path named = data != null ? data : chosen.data().orElse(null);
    if (named != null) {
      return named;
    }
    if (preset == null) {
      throw new UsageException("The configuration names no data", "Use --data DIR");
    }
    if (first) {
      TrainConfig.writeExcerpt(inside);
    }
    return inside;
  }

  /**
   * Where this one of so many ranks computes: alone on the card that is named, with others each on
   * one of its own.
   *
   * @throws UsageException if the ranks cannot be on cards as they are started
   * @throws dev.gossamer.tensor.failure.EnvironmentException if there is no card that can be used
   */
  Device device(RankArguments ranks, int size) {
    Device chosen = Device.of(device);
    if (chosen.isCpu()) {
      return chosen;
    }
    if (size > 1 && !device.equals("cuda")) {
      throw new UsageException(
          "--device " + device + " is one card, and there are " + size + " ranks",
          "Use cuda: each rank then takes the card of its place");
    }
    Device own = size > 1 ? ranks.card() : chosen;
    Card.of(own);
    return own;
  }

  /**
   * Processor threads of each of so many ranks.
   *
   * @throws UsageException if there are none
   */
  int threads(int size) {
    if (threads != null && threads < 1) {
      throw new UsageException("--threads " + threads + " compute nothing", "Use 1 or more");
    }
    return threads != null ? threads : size == 1 ? Threads.available() : 1;
  }
}
