package dev.gossamer.lm.train;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.Losses;
import dev.gossamer.lm.data.Samples;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.moe.ExpertGroups;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.ResidentMemory;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Trains a model step by step. Every rank has a trainer and makes the same calls; a step's
 * micro-batches are divided among the ranks in order, so that sample n of the run is the same one
 * on any number of ranks.
 *
 * <p>Used by one thread at a time.
 */
public final class Trainer implements AutoCloseable {
  private final TrainSettings settings;
  private final Communicator world;
  private final Threads threads;
  private final Samples samples;
  private final double tokensPerByte;
  private final int own;
  private final ExpertGroups groups;
  private final RankGrid grid;
  private final LanguageModel model;
  private final MasterWeights weights;
  private final AdamW optimizer;
  private long step;

  /**
   * @param world all ranks; not closed with the trainer
   * @param perNode neighbouring ranks that are on one machine
   * @param device where this rank computes
   * @throws dev.gossamer.tensor.failure.UsageException if the ranks cannot share the work evenly
   */
  public Trainer(
      TrainSettings settings,
      TokenFile text,
      Communicator world,
      int perNode,
      Device device,
      Threads threads) {
    this.settings = settings;
    this.world = world;
    this.threads = threads;
    this.own = settings.microBatchesOf(world.size());
    this.samples = new Samples(text, settings.sequence(), settings.seed());
    this.tokensPerByte = (double) text.index().tokens() / text.index().textBytes();
    this.groups = new ExpertGroups(world, settings.expertBlock(world.size()));
    int block = groups.block().size();
    this.grid =
        perNode < block && block % perNode == 0
            ? RankGrid.of(groups.block(), perNode)
            : RankGrid.flat(groups.block());
    this.model =
        new LanguageModel(
            settings.modelOn(world.size()),
            settings.seed(),
            settings.dtype(),
            device,
            grid,
            threads);
    this.weights = new MasterWeights(model.parameters());
    this.optimizer = new AdamW(settings.optimizer(), weights.masters());
  }

  public TrainSettings settings() {
    return settings;
  }

  /** The model as it is now. */
  public LanguageModel model() {
    return model;
  }

  /** Bytes that this rank has sent to those with whom it shares experts, their rows alone. */
  public Traffic traffic() {
    return grid.traffic();
  }

  /** The ranks that share a set of experts, and those that hold the same. */
  ExpertGroups groups() {
    return groups;
  }

  /** Steps made. */
  public long step() {
    return step;
  }

  /** Goes on behind a step, with weights and means that were loaded. */
  void goOnAfter(long steps) {
    step = steps;
    weights.publish();
  }

  /** The weights that are moved, in the model's order. */
  List<Parameter> masters() {
    return weights.masters();
  }

  AdamW optimizer() {
    return optimizer;
  }

  /** What a step's micro-batches tell of themselves, in this order. */
  private static final int NUMBERS = 4;

  /** Makes one step. */
  public StepReport next() {
    long start = System.nanoTime();
    double waited = exchanging();
    weights.clearGradients();
    double[] told = new double[own * NUMBERS];
    List<long[]> load = new ArrayList<>();
    for (int i = 0; i < own; i++) {
      Losses losses = learn(i);
      weights.collect();
      told[i * NUMBERS] = losses.crossEntropy();
      told[i * NUMBERS + 1] = losses.auxiliary();
      told[i * NUMBERS + 2] = losses.zLoss();
      told[i * NUMBERS + 3] = losses.dropped();
      add(load, losses.load());
    }
    long exchange = System.nanoTime();
    groups.sumGradients(weights.masters());
    double[] sums = sums(told);
    sumLoad(load);
    GradientNorm norm = GradientNorm.of(weights.masters(), groups.block());
    waited = exchanging() - waited + (System.nanoTime() - exchange) / 1e9;
    double rate = settings.optimizer().rate(step, settings.steps());
    move(norm, rate, load);
    step++;
    double seconds = (System.nanoTime() - start) / 1e9;
    int parts = settings.microBatches();
    long tokens = (long) settings.batch() * settings.sequence();
    return new StepReport(
        step,
        step * tokens,
        sums[0] / tokens,
        sums[0] / tokens / Math.log(2) * tokensPerByte,
        sums[1] / parts,
        sums[2] / parts,
        rate,
        norm.length(),
        norm.notFinite().isEmpty() ? "" : "the gradient of " + norm.notFinite() + " is not finite",
        seconds,
        tokens / seconds,
        world.size() == 1 ? 0 : Math.min(1, waited / seconds),
        LoadBalance.of(load),
        sums[3] / parts,
        ResidentMemory.now());
  }

  private Losses learn(int number) {
    int size = settings.microBatch();
    int length = settings.sequence();
    int[] ids = new int[size * length];
    int[] targets = new int[size * length];
    long first = step * settings.batch() + (long) (world.rank() * own + number) * size;
    for (int i = 0; i < size; i++) {
      samples.read(first + i, ids, targets, i * length);
    }
    double tokens = (double) settings.batch() * length;
    return model.learn(ids, targets, size, number, tokens, 1.0 / settings.microBatches());
  }

  private static void add(List<long[]> load, List<int[]> more) {
    for (int layer = 0; layer < more.size(); layer++) {
      if (load.size() == layer) {
        load.add(new long[more.get(layer).length]);
      }
      for (int expert = 0; expert < load.get(layer).length; expert++) {
        load.get(layer)[expert] += more.get(layer)[expert];
      }
    }
  }

  /** Over all micro-batches, in a tree that does not depend on the number of ranks. */
  private double[] sums(double[] told) {
    try (Scope scope = Scope.open()) {
      double[] all = world.allGather(Tensor.of(told, told.length)).toDoubles();
      double[] sums = new double[NUMBERS];
      for (int number = 0; number < NUMBERS; number++) {
        sums[number] = tree(all, number, 0, all.length / NUMBERS);
      }
      return sums;
    }
  }

  private static double tree(double[] all, int number, int from, int to) {
    if (to - from == 1) {
      return all[from * NUMBERS + number];
    }
    int middle = (from + to) / 2;
    return tree(all, number, from, middle) + tree(all, number, middle, to);
  }

  private void sumLoad(List<long[]> load) {
    if (world.size() == 1 || load.isEmpty()) {
      return;
    }
    try (Scope scope = Scope.open()) {
      long[] all = load.stream().flatMapToLong(Arrays::stream).toArray();
      Tensor counts = Tensor.of(all, all.length);
      world.allReduce(counts);
      all = counts.toLongs();
      int from = 0;
      for (int layer = 0; layer < load.size(); layer++) {
        int to = from + load.get(layer).length;
        load.set(layer, Arrays.copyOfRange(all, from, to));
        from = to;
      }
    }
  }

  private void move(GradientNorm norm, double rate, List<long[]> load) {
    if (!norm.notFinite().isEmpty()) {
      return; // all ranks know it, as the length is of all
    }
    double clip = settings.optimizer().clip();
    double scale = clip > 0 && norm.length() > clip ? clip / norm.length() : 1;
    optimizer.move(rate, step + 1, scale, threads);
    weights.publish();
    List<MoeLayer> layers = model.expertLayers();
    for (int layer = 0; layer < layers.size(); layer++) {
      if (layers.get(layer).router().settings().scores() == Scores.SIGMOID) {
        layers.get(layer).router().balanceBias(load.get(layer), settings.optimizer().biasRate());
      }
    }
  }

  /** Seconds that the layers have waited for rows of others so far. */
  private double exchanging() {
    return model.expertLayers().stream()
        .mapToDouble(layer -> layer.clock().seconds(Phase.EXCHANGE))
        .sum();
  }

  @Override
  public void close() {
    optimizer.close();
    weights.close();
    model.close();
    grid.close();
    groups.close();
  }
}
