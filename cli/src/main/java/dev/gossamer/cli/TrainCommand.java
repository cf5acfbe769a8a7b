package dev.gossamer.cli;

import dev.gossamer.bench.lm.TrainingChart;
import dev.gossamer.lm.train.Evaluation;
import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.lm.train.TrainingRun;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer train}: a language model from tokens. */
@Command(
    name = "train",
    description = {
      "Train a language model with mixtures of experts.",
      "On one process, or on many started by launch, torchrun or srun. Every key of the"
          + " configuration can be given on the command line: --model.layers=6"
          + " --optimizer.learningRate=1e-3. Ctrl-C and SIGTERM save before they stop; --resume goes"
          + " on, on any number of ranks."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class TrainCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "JSON; docs/lm.md has every key. A run's own config.json is one.")
  private Path config;

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description = "tiny: a minute on the text that ships inside; small: a few million weights.")
  private String preset;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Folder of tokens (default: the configuration's; of a preset, the text inside).")
  private Path data;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the run: configuration, figures, chart, checkpoints.")
  private Path out;

  @Option(names = "--resume", description = "Go on from the last sound checkpoint in --out.")
  private boolean resume;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Steps of the optimiser (default: the configuration's).")
  private Integer steps;

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
      names = "--log-every",
      paramLabel = "N",
      description = "Steps between lines (default: the configuration's, 10).")
  private Integer logEvery;

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

  @Option(names = "--no-chart", description = "Draw no loss.png at the end.")
  private boolean noChart;

  @Option(names = "--json", description = "Print one JSON document to stdout at the end.")
  private boolean json;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  TrainCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    TrainConfig chosen = overridden(chosen());
    List<Optional<Evaluation>> seen = new ArrayList<>();
    ranks.run(
        world -> {
          Path tokens = tokens(chosen, world.rank() == 0);
          world.barrier(); // rank 0 may have made them
          TrainSettings settings = chosen.settings(tokens);
          TrainTerminal progress =
              new TrainTerminal(terminal, interrupted, settings.steps(), settings.logEvery());
          int own = threads != null ? threads : world.size() == 1 ? Threads.available() : 1;
          try (Threads pool = new Threads(own)) {
            Optional<Evaluation> last =
                new TrainingRun(settings, tokens, out, resume)
                    .run(world, ranks.perNode(), pool, progress);
            if (world.rank() == 0) {
              finish(last);
            }
          }
        });
    return 0;
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
    given.put("steps", steps);
    given.put("batch", batch);
    given.put("microBatch", microBatch);
    given.put("sequence", sequence);
    given.put("dtype", dtype);
    given.put("deterministic", deterministic);
    given.put("seed", seed);
    given.put("logEvery", logEvery);
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

  private Path tokens(TrainConfig chosen, boolean first) {
    Path named = data != null ? data : chosen.data().orElse(null);
    if (named != null) {
      return named;
    }
    if (preset == null) {
      throw new UsageException("The configuration names no data", "Use --data DIR");
    }
    Path inside = out.resolve("tokens");
    if (first) {
      TrainConfig.writeExcerpt(inside);
    }
    return inside;
  }

  private void finish(Optional<Evaluation> last) {
    if (!noChart) {
      try {
        TrainingChart.write(out.resolve(TrainingRun.METRICS), out.resolve("loss.png"));
      } catch (IOException e) {
        throw new EnvironmentException("Cannot write " + out.resolve("loss.png"), "", e);
      } catch (EnvironmentException e) {
        terminal.err().println(FailureLine.message(e)); // the model is there all the same
      }
    }
    if (json) {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("folder", out.toString());
      last.ifPresent(evaluation -> document.putAll(evaluation.document()));
      Json.print(terminal.out(), document);
    } else {
      terminal.out().println(out);
    }
  }
}
