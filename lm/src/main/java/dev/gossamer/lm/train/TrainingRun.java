package dev.gossamer.lm.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.lm.checkpoint.Checkpoint;
import dev.gossamer.lm.checkpoint.CheckpointFolder;
import dev.gossamer.lm.checkpoint.Manifest;
import dev.gossamer.lm.checkpoint.TrainingState;
import dev.gossamer.lm.data.Corpus.Split;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.Difference;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A run from its data to its last checkpoint: {@code config.json}, {@code metrics.jsonl} and {@code
 * checkpoints} in a folder that all ranks see. It goes on from the last sound checkpoint there, on
 * any number of ranks.
 *
 * @param settings of the run
 * @param data folder of {@code gossamer tokenize}
 * @param out where it writes
 * @param resume whether what is there may be gone on with
 */
public record TrainingRun(TrainSettings settings, Path data, Path out, boolean resume) {
  /** The folder of checkpoints in that of a run. */
  public static final String CHECKPOINTS = "checkpoints";

  /** The effective configuration. */
  public static final String CONFIG = "config.json";

  /** The figures of every step. */
  public static final String METRICS = "metrics.jsonl";

  /** Best so far. */
  private record Best(long step, double bits) {}

  /**
   * Trains; every rank calls it.
   *
   * @param perNode neighbouring ranks that are on one machine
   * @param device where this rank computes
   * @return the last look at held-out text, if there is any
   * @throws InterruptedRunException if it was asked to stop; everything is saved then
   * @throws BadInputException if the data or the checkpoints do not fit the settings
   */
  public Optional<Evaluation> run(
      Communicator world, int perNode, Device device, Threads threads, TrainProgress progress) {
    world.agree("the configuration", tree(settings) + " " + data.getFileName());
    TokenFile text = TokenFile.open(Split.TRAIN.in(data));
    Path held = Split.VALIDATION.in(data);
    CheckpointFolder folder = new CheckpointFolder(out.resolve(CHECKPOINTS), world);
    Optional<Checkpoint> last = begin(world, folder, progress);
    try (TextTokenizer tokenizer = tokenizer(text);
        Trainer trainer = new Trainer(settings, text, world, perNode, device, threads)) {
      Optional<Evaluator> evaluator =
          Files.exists(held)
              ? Optional.of(
                  new Evaluator(
                      TokenFile.open(held),
                      tokenizer,
                      settings.sequence(),
                      settings.evaluateWindows()))
              : Optional.empty();
      Best best = last.map(checkpoint -> load(checkpoint, trainer)).orElse(new Best(-1, 0));
      if (world.rank() != 0) {
        return new Loop(world, trainer, evaluator, folder, tokenizer, best, null, progress).run();
      }
      try (Metrics metrics = Metrics.open(out.resolve(METRICS), trainer.step())) {
        return new Loop(world, trainer, evaluator, folder, tokenizer, best, metrics, progress)
            .run();
      }
    }
  }

  private TextTokenizer tokenizer(TokenFile text) {
    TextTokenizer tokenizer = TextTokenizer.open(data.resolve("tokenizer.json"));
    if (!tokenizer.fingerprint().equals(text.index().tokenizer())) {
      tokenizer.close();
      throw new BadInputException(
          "The tokens in " + data + " were not made by the tokenizer.json beside them",
          "Tokenize again");
    }
    if (tokenizer.vocabulary() > settings.model().vocabulary()) {
      tokenizer.close();
      throw new BadInputException(
          String.format(
              "The tokens in %s are of a vocabulary of %d, and the model has %d",
              data, text.index().vocabulary(), settings.model().vocabulary()),
          "Set the model's vocabulary, or leave it out");
    }
    return tokenizer;
  }

  /** Looks for what is there already, and leaves the configuration. */
  private Optional<Checkpoint> begin(
      Communicator world, CheckpointFolder folder, TrainProgress progress) {
    boolean begun = !folder.steps().isEmpty();
    world.barrier(); // before any rank writes there
    if (begun && !resume) {
      throw new BadInputException(
          "There is a run in " + out + " already", "Go on with --resume, or name another folder");
    }
    Optional<Checkpoint> last = folder.goOn(progress::note);
    if (begun && last.isEmpty()) {
      throw new BadInputException(
          "No checkpoint in " + out.resolve(CHECKPOINTS) + " is sound",
          "Train anew in another folder");
    }
    last.ifPresent(this::requireSameModel);
    if (world.rank() == 0) {
      try {
        Files.createDirectories(out);
        ObjectNode config = tree(settings).put("data", data.toString());
        PartFile.write(
            out.resolve(CONFIG), config.toPrettyString().getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        throw new EnvironmentException(
            "Cannot write into " + out + ": " + PartFile.reason(e), "Name another folder", e);
      }
    }
    return last;
  }

  private static ObjectNode tree(TrainSettings settings) {
    return new ObjectMapper().valueToTree(settings.document());
  }

  /** What may not change between the parts of a run. */
  private void requireSameModel(Checkpoint checkpoint) {
    ObjectNode now = tree(settings);
    ObjectNode then = checkpoint.manifest().settings();
    for (String key : List.of("model", "sequence", "batch", "seed")) {
      Difference.first(key, then.path(key), now.path(key))
          .ifPresent(
              difference -> {
                throw new BadInputException(
                    "Cannot go on with " + checkpoint.folder() + ": " + difference,
                    "Use the configuration of that run, or another folder");
              });
    }
  }

  private static Best load(Checkpoint checkpoint, Trainer trainer) {
    checkpoint.load(state(trainer));
    Manifest manifest = checkpoint.manifest();
    List<MoeLayer> layers = trainer.model().expertLayers();
    for (int layer = 0; layer < layers.size(); layer++) {
      layers.get(layer).router().bias(manifest.routerBias().get(layer));
    }
    trainer.goOnAfter(manifest.step());
    return new Best(manifest.bestStep(), manifest.bestBits());
  }

  /** What of this rank is saved. */
  static TrainingState state(Trainer trainer) {
    int first = trainer.model().firstExpert();
    int own =
        trainer.masters().stream()
            .filter(Parameter::ofExperts)
            .findFirst()
            .map(stack -> (int) stack.value().size(0))
            .orElse(0);
    return new TrainingState(
        trainer.masters(), trainer.optimizer().means(), trainer.optimizer().squares(), first, own);
  }

  /** The steps of a run on one rank. */
  private static final class Loop {
    private final Communicator world;
    private final Trainer trainer;
    private final TrainSettings settings;
    private final Optional<Evaluator> evaluator;
    private final CheckpointFolder folder;
    private final TextTokenizer tokenizer;
    private final Metrics metrics; // null but on rank 0
    private final TrainProgress progress;
    private Best best;

    Loop(
        Communicator world,
        Trainer trainer,
        Optional<Evaluator> evaluator,
        CheckpointFolder folder,
        TextTokenizer tokenizer,
        Best best,
        Metrics metrics,
        TrainProgress progress) {
      this.world = world;
      this.trainer = trainer;
      this.settings = trainer.settings();
      this.evaluator = evaluator;
      this.folder = folder;
      this.tokenizer = tokenizer;
      this.best = best;
      this.metrics = metrics;
      this.progress = progress;
    }

    Optional<Evaluation> run() {
      Optional<Evaluation> seen = Optional.empty();
      while (trainer.step() < settings.steps()) {
        StepReport report = trainer.next();
        if (metrics != null) {
          metrics.add(report.document());
          progress.step(report);
        }
        boolean end = report.step() == settings.steps();
        seen = isDue(settings.evaluateEvery()) || end ? evaluate() : seen;
        boolean improved = best.step() == report.step();
        boolean stop = askedToStop();
        if (end || stop || improved || isDue(settings.checkpoint().every())) {
          save();
        }
        if (stop && !end) {
          throw new InterruptedRunException(
              "Stopped after step " + report.step() + " of " + settings.steps() + ", all saved",
              "Go on with --resume");
        }
      }
      return seen;
    }

    private boolean isDue(int every) {
      return every > 0 && trainer.step() % every == 0;
    }

    /** Whether any rank was. */
    private boolean askedToStop() {
      if (world.size() == 1) {
        return progress.cancelled();
      }
      try (Scope scope = Scope.open()) {
        Tensor asked = Tensor.of(new long[] {progress.cancelled() ? 1 : 0}, 1);
        world.allReduce(asked, Reduction.MAXIMUM);
        return asked.item() > 0;
      }
    }

    private Optional<Evaluation> evaluate() {
      Optional<Evaluation> seen =
          evaluator.map(e -> e.evaluate(trainer.model(), world, trainer.step()));
      seen.ifPresent(
          evaluation -> {
            if (best.step() < 0 || evaluation.bitsPerByte() < best.bits()) {
              best = new Best(evaluation.step(), evaluation.bitsPerByte());
            }
            if (metrics != null) {
              metrics.add(evaluation.document());
              progress.evaluated(evaluation);
            }
          });
      return seen;
    }

    private void save() {
      List<double[]> bias =
          trainer.model().expertLayers().stream().map(layer -> layer.router().bias()).toList();
      Manifest manifest =
          new Manifest(
              trainer.step(),
              trainer.step() * settings.batch(),
              tree(settings),
              world.size(),
              trainer.groups().block().size(),
              best.step(),
              best.bits(),
              bias,
              List.of());
      boolean writes = trainer.groups().replicas().rank() == 0;
      folder.save(manifest, state(trainer), writes, tokenizer.json(), settings.checkpoint().keep());
    }
  }
}
