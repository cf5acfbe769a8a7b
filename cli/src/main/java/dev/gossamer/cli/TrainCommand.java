package dev.gossamer.cli;

import dev.gossamer.bench.lm.TrainingChart;
import dev.gossamer.lm.train.Evaluation;
import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.lm.train.TrainingRun;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
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

  @Mixin private TrainArguments train;
  @Mixin private PaceArguments pace;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the run: configuration, figures, chart, checkpoints.")
  private Path out;

  @Option(
      names = "--resume",
      description =
          "Go on from the last sound checkpoint in --out, by its own configuration unless one is"
              + " named; begin if there is none.")
  private boolean resume;

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
    TrainConfig chosen =
        pace.of(resume ? train.configOf(out.resolve(TrainingRun.CONFIG)) : train.config());
    boolean anew = resume && !Files.isDirectory(out.resolve(TrainingRun.CHECKPOINTS));
    ranks.run(
        world -> {
          if (anew && world.rank() == 0) {
            terminal.err().println("There is no run in " + out + " yet: it begins");
          }
          Device device = train.device(ranks, world.size());
          Path tokens = train.tokens(chosen, out.resolve("tokens"), world.rank() == 0);
          world.barrier(); // rank 0 may have made them
          TrainSettings settings = chosen.settings(tokens);
          TrainTerminal progress =
              new TrainTerminal(terminal, interrupted, settings.steps(), settings.logEvery());
          try (Threads pool = new Threads(train.threads(world.size()))) {
            Optional<Evaluation> last =
                new TrainingRun(settings, tokens, out, resume)
                    .run(world, ranks.perNode(), device, pool, progress);
            if (world.rank() == 0) {
              finish(last);
            }
          }
        });
    return 0;
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
