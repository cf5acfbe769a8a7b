package dev.gossamer.lm.train;

import dev.gossamer.lm.ModelDocument;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.settings.Words;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A whole training run, but for its data and the ranks it runs on.
 *
 * @param model what is trained
 * @param dtype of weights and products: float32, bf16 with float32 masters, or float64 for checks
 * @param steps of the optimiser
 * @param sequence tokens of a sample
 * @param batch sequences of a step, on all ranks together
 * @param microBatch sequences that a rank takes at once
 * @param optimizer how weights move
 * @param expertRanks ranks that share one set of experts; 0 for all
 * @param parallel how they share the work
 * @param elastic whether every number of ranks computes the same bits, at a cost in memory and time
 * @param checkpoint when training is saved
 * @param evaluateEvery steps between looks at the validation text; 0 for none but at the end
 * @param evaluateWindows sequences of a look; 0 for all
 * @param logEvery steps between lines of progress
 * @param seed of weights and of the samples' order
 */
public record TrainSettings(
    ModelSettings model,
    DType dtype,
    int steps,
    int sequence,
    int batch,
    int microBatch,
    OptimizerSettings optimizer,
    int expertRanks,
    ParallelSettings parallel,
    boolean elastic,
    CheckpointSettings checkpoint,
    int evaluateEvery,
    int evaluateWindows,
    int logEvery,
    int seed) {
  /**
   * When training is saved.
   *
   * @param every steps between checkpoints; 0 for one at the end
   * @param keep how many of the latest stay, beside the best
   */
  public record CheckpointSettings(int every, int keep) {
    public CheckpointSettings {
      require(every >= 0, "a checkpoint every " + every + " steps", "Use 0 for the end, or more");
      require(keep >= 1, keep + " checkpoints kept", "Use 1 or more");
    }
  }

  /** What training promises of its bits. */
  private enum Determinism {
    /** The same configuration on the same number of ranks. */
    RUN,
    /** Any number of ranks. */
    ELASTIC
  }

  /**
   * @throws UsageException if choices contradict each other
   */
  public TrainSettings {
    require(steps >= 1, steps + " steps", "Use 1 or more");
    require(
        sequence >= 1 && sequence <= model.context(),
        "sequences of " + sequence + " tokens in a context of " + model.context(),
        "Use 1 to the context");
    require(microBatch >= 1, "micro-batches of " + microBatch, "Use 1 or more");
    require(
        batch >= 1 && batch % microBatch == 0,
        "a batch of " + batch + " sequences in micro-batches of " + microBatch,
        "Use a multiple of the micro-batch");
    require(expertRanks >= 0, expertRanks + " ranks for the experts", "Use 0 for all, or more");
    require(
        evaluateEvery >= 0 && evaluateWindows >= 0,
        "a look at the validation text every " + evaluateEvery + " steps",
        "Use 0 or more");
    require(logEvery >= 1, "a line every " + logEvery + " steps", "Use 1 or more");
    require(dtype.isFloating() && dtype != DType.FLOAT16, "type " + dtype, "Use fp32 or bf16");
    require(
        !elastic || model.experts().isPresent(),
        "the same bits on every number of ranks without experts",
        "Use deterministic 'run' for dense models");
    require(
        !elastic || dtype != DType.BFLOAT16,
        "the same bits on every number of ranks in bf16",
        "Use fp32");
  }

  /** The same training of another model. */
  public TrainSettings withModel(ModelSettings value) {
    return with(value, optimizer, seed);
  }

  /** The same training with weights moved otherwise. */
  public TrainSettings withOptimizer(OptimizerSettings value) {
    return with(model, value, seed);
  }

  /** The same training with other weights to begin with and samples in another order. */
  public TrainSettings withSeed(int value) {
    return with(model, optimizer, value);
  }

  private TrainSettings with(
      ModelSettings otherModel, OptimizerSettings otherOptimizer, int otherSeed) {
    return new TrainSettings(
        otherModel,
        dtype,
        steps,
        sequence,
        batch,
        microBatch,
        otherOptimizer,
        expertRanks,
        parallel,
        elastic,
        checkpoint,
        evaluateEvery,
        evaluateWindows,
        logEvery,
        otherSeed);
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No training has " + found, remedy);
    }
  }

  /**
   * @throws dev.gossamer.tensor.failure.BadInputException if a key is unknown, missing or wrong
   */
  public static TrainSettings read(SettingsFile file) {
    return file.build(
        () -> {
          ModelSettings model = ModelDocument.read(file.part("model"));
          SettingsFile parallel = file.part("parallel");
          SettingsFile checkpoint = file.part("checkpoint");
          SettingsFile evaluation = file.part("evaluation");
          int batch = file.whole("batch");
          return new TrainSettings(
              model,
              type(file.text("dtype", "fp32")),
              file.whole("steps"),
              file.whole("sequence", model.context()),
              batch,
              file.whole("microBatch", batch),
              OptimizerSettings.read(file.part("optimizer")),
              parallel.whole("experts", 0),
              parallel.build(() -> ways(parallel)),
              file.choice("deterministic", Determinism.class, Determinism.RUN)
                  == Determinism.ELASTIC,
              checkpoint.build(
                  () ->
                      new CheckpointSettings(
                          checkpoint.whole("every", 0), checkpoint.whole("keep", 2))),
              evaluation.whole("every", 0),
              evaluation.build(() -> evaluation.whole("windows", 0)),
              file.whole("logEvery", 10),
              file.whole("seed", 1234));
        });
  }

  private static ParallelSettings ways(SettingsFile file) {
    file.whole("experts", 0);
    ParallelSettings ways =
        ParallelSettings.DEFAULT
            .withDispatch(file.choice("dispatch", Dispatch.class, Dispatch.FLAT))
            .withChunks(file.whole("chunks", 1));
    return file.has("wire") ? ways.withWire(DType.ofOption(file.text("wire", ""))) : ways;
  }

  /** As on the command line; float64 for checks besides. */
  private static DType type(String name) {
    return name.equals("fp64") ? DType.FLOAT64 : DType.ofOption(name);
  }

  private static String name(DType dtype) {
    return dtype == DType.FLOAT64 ? "fp64" : dtype.optionName();
  }

  /** The same as an object of JSON, complete. */
  public Map<String, Object> document() {
    Map<String, Object> ways = new LinkedHashMap<>();
    ways.put("experts", expertRanks);
    ways.put("dispatch", Words.of(parallel.dispatch()));
    ways.put("chunks", parallel.chunks());
    parallel.wire().ifPresent(wire -> ways.put("wire", wire.optionName()));
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", ModelDocument.of(model));
    document.put("dtype", name(dtype));
    document.put("steps", steps);
    document.put("sequence", sequence);
    document.put("batch", batch);
    document.put("microBatch", microBatch);
    document.put("optimizer", optimizer.document());
    document.put("parallel", ways);
    document.put("deterministic", Words.of(elastic ? Determinism.ELASTIC : Determinism.RUN));
    document.put("checkpoint", ordered("every", checkpoint.every, "keep", checkpoint.keep));
    document.put("evaluation", ordered("every", evaluateEvery, "windows", evaluateWindows));
    document.put("logEvery", logEvery);
    document.put("seed", seed);
    return document;
  }

  private static Map<String, Object> ordered(String a, Object x, String b, Object y) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put(a, x);
    map.put(b, y);
    return map;
  }

  /** Micro-batches of a step on all ranks. */
  public int microBatches() {
    return batch / microBatch;
  }

  /**
   * Micro-batches of a step on one rank.
   *
   * @throws UsageException if the ranks cannot share them evenly
   */
  int microBatchesOf(int ranks) {
    require(
        microBatches() % ranks == 0,
        microBatches() + " micro-batches a step on " + ranks + " ranks",
        "Use a batch that is a multiple of the micro-batch times the ranks");
    return microBatches() / ranks;
  }

  /** Ranks that share one set of experts, of so many. */
  int expertBlock(int ranks) {
    return model.experts().isEmpty() ? 1 : expertRanks == 0 ? ranks : expertRanks;
  }

  /** The model as these ranks compute it. */
  ModelSettings modelOn(int ranks) {
    int own = microBatchesOf(ranks);
    return model.withExperts(moe -> moe.withParallel(parallel.withElastic(elastic ? own : 0)));
  }
}
