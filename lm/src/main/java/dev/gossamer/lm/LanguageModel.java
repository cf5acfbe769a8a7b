package dev.gossamer.lm;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.Initialisation;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.Choice;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A decoder-only transformer with dense or mixture-of-experts layers, forward and backward.
 *
 * <p>The ranks of its grid share the experts; every one of them makes the same calls in the same
 * order, with tokens of its own. All else is on each rank. Weights are float32 or float64, or bf16
 * with norms, attention, routers and losses in float32. All are on one device; a card rates the
 * tokens, and the processor lays out where they go.
 *
 * <p>Used by one thread at a time.
 */
public final class LanguageModel implements AutoCloseable {
  private final ModelSettings settings;
  private final DType dtype;
  private final Device device;
  private final Scope owner = Scope.detached();
  private final Vocabulary vocabulary;
  private final List<Layer> layers = new ArrayList<>();
  private final List<MoeLayer> expertLayers = new ArrayList<>();
  private final Norm finalNorm;
  private final ExpertLending lending;

  private record Layer(Norm attentionNorm, Branch attention, Norm mixNorm, Branch mix) {}

  /** Is shown what a forward pass comes by; for comparing models. */
  interface Watcher {
    Watcher NOBODY =
        new Watcher() {
          @Override
          public void stream(int layer, Tensor rows) {}

          @Override
          public void choice(int layer, Choice choice) {}
        };

    /** The stream after a layer, {@code [rows, hidden]}. */
    void stream(int layer, Tensor rows);

    /** Where a layer's tokens go. */
    void choice(int layer, Choice choice);
  }

  /** Is told how a pass divided its rows among experts. */
  public interface ExpertLoad {
    /**
     * @param layer number among all layers
     * @param rows that each expert took
     */
    void of(int layer, int[] rows);
  }

  private record LoadWatcher(ExpertLoad load) implements Watcher {
    @Override
    public void stream(int layer, Tensor rows) {}

    @Override
    public void choice(int layer, Choice choice) {
      load.of(layer, choice.chosen().counts());
    }
  }

  /** A model of one rank. */
  public LanguageModel(ModelSettings settings, long seed, DType dtype, Threads threads) {
    this(settings, seed, dtype, RankGrid.flat(LocalRanks.alone()), threads);
  }

  /**
   * @param seed with the parameters' names decides every weight, whatever the number of ranks
   * @param grid the ranks that share the experts; not closed with the model
   * @param threads that compute, the calling one included
   */
  public LanguageModel(
      ModelSettings settings, long seed, DType dtype, RankGrid grid, Threads threads) {
    this(settings, seed, dtype, Device.CPU, grid, threads);
  }

  /**
   * Likewise, on a device.
   *
   * @param device where weights are and all is computed
   */
  public LanguageModel(
      ModelSettings settings,
      long seed,
      DType dtype,
      Device device,
      RankGrid grid,
      Threads threads) {
    this.settings = settings;
    this.device = device;
    this.dtype = dtype;
    Initialisation start =
        settings
            .experts()
            .map(MoeSettings::initialisation)
            .orElse(Initialisation.fanIn(settings.layers()));
    int elastic = settings.experts().map(moe -> moe.parallel().elastic()).orElse(0);
    FreshWeights fresh = new FreshWeights(seed, dtype, device, start, elastic, owner);
    this.vocabulary = new Vocabulary(settings, fresh, threads);
    AttentionSettings attention = settings.attention();
    RotaryTable rotary =
        attention.positions() == Positions.ROPE
            ? new RotaryTable(
                attention.rotary(), attention.rotaryWidth(), settings.context(), fresh)
            : null;
    for (int i = 0; i < settings.layers(); i++) {
      String name = "layers." + i;
      layers.add(
          new Layer(
              norm(name + ".attention_norm", fresh),
              attention(i, name + ".attention", fresh, rotary, threads),
              norm(name + ".feed_forward_norm", fresh),
              settings.hasExperts(i)
                  ? experts(name + ".moe", seed, grid, threads)
                  : new DenseFeedForward(
                      settings.dense(), settings.hidden(), name + ".dense", fresh, threads)));
    }
    this.finalNorm = norm("final_norm", fresh);
    this.lending = new ExpertLending(grid.world(), expertLayers, settings.hidden(), dtype);
  }

  private Norm norm(String name, FreshWeights fresh) {
    return Norm.of(settings.norm(), settings.normEps(), name, settings.hidden(), fresh);
  }

  private Branch attention(
      int layer, String name, FreshWeights fresh, RotaryTable rotary, Threads threads) {
    return settings.attention() instanceof AttentionSettings.Latent latent
        ? new LatentAttention(latent, settings.hidden(), layer, name, fresh, rotary, threads)
        : new CausalAttention(
            (AttentionSettings.Grouped) settings.attention(),
            settings,
            layer,
            name,
            fresh,
            rotary,
            threads);
  }

  private Branch experts(String name, long seed, RankGrid grid, Threads threads) {
    MoeLayer layer =
        new MoeLayer(settings.experts().orElseThrow(), name, seed, dtype, device, grid, threads);
    expertLayers.add(layer);
    return new ExpertBranch(layer);
  }

  public ModelSettings settings() {
    return settings;
  }

  /** Type of the weights. */
  public DType dtype() {
    return dtype;
  }

  /** Where it computes. */
  public Device device() {
    return device;
  }

  /** All weights of this rank, in an order that depends on the settings alone. */
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(vocabulary.parameters());
    for (Layer layer : layers) {
      all.addAll(layer.attentionNorm().parameters());
      all.addAll(layer.attention().parameters());
      all.addAll(layer.mixNorm().parameters());
      all.addAll(layer.mix().parameters());
    }
    all.addAll(finalNorm.parameters());
    return all;
  }

  /** The layers with experts, whose routers a trainer balances. */
  public List<MoeLayer> expertLayers() {
    return List.copyOf(expertLayers);
  }

  /** Number of this rank's first expert in every layer that has some; 0 in a dense model. */
  public int firstExpert() {
    return expertLayers.isEmpty() ? 0 : expertLayers.get(0).firstExpert();
  }

  /**
   * Does work on rank 0 alone, whose tokens visit the experts of all ranks; every rank of the grid
   * calls it. The others have no tokens, lend their experts to each pass of rank 0's model and
   * return when the work is done. A pass that fails on rank 0 alone leaves them in step, so that
   * others may follow.
   *
   * @param work passes without gradients, made by any one thread at a time
   * @throws UsageException if there are several ranks and no experts
   * @throws CommunicationException if a rank fails, or rank 0 where the others wait for it
   */
  public void onFirstRank(Runnable work) {
    lending.run(work);
  }

  /**
   * Tells the ranks that lend their experts that there is nothing to do yet: they give up a first
   * rank of which they hear nothing for their time-out. To be called between passes, by whoever
   * makes them, while {@link #onFirstRank} lasts; otherwise it does nothing.
   *
   * @throws CommunicationException if one of them has failed
   */
  public void reassureRanks() {
    lending.reassure();
  }

  /** An empty cache for one sequence; to be closed by the caller. */
  public KeyValueCache newCache() {
    return newCache(settings.context());
  }

  /**
   * Likewise, for a sequence whose longest length is known.
   *
   * @param longest tokens that it holds at most, and for which it takes memory at most
   */
  public KeyValueCache newCache(int longest) {
    return new KeyValueCache(settings.layers(), Math.min(longest, settings.context()));
  }

  /** What a token of a sequence takes in a cache, in bytes. */
  public long cacheBytesPerToken() {
    return (long) settings.layers()
        * settings.attention().cached()
        * FreshWeights.exact(dtype).bytes();
  }

  /**
   * Logits of whole sequences.
   *
   * @param ids sequence after sequence
   * @param sequences of equal length
   * @return {@code [tokens, vocabulary]} float32, or float64 of a float64 model, in the caller's
   *     scope
   */
  public Tensor logits(int[] ids, int sequences) {
    return logits(ids, whole(ids, sequences, 0), Watcher.NOBODY);
  }

  /**
   * Logits of further tokens of sequences that have begun; their caches then hold them.
   *
   * @param ids those of the first sequence, then of the second, ..; may be none
   * @param caches of the sequences, each once
   * @param counts how many tokens of each
   * @return {@code [tokens, vocabulary]}, in the caller's scope
   * @throws UsageException if a sequence would outgrow the context
   */
  public Tensor logits(int[] ids, List<KeyValueCache> caches, int[] counts) {
    Rows rows = Rows.further(caches, counts);
    Tensor logits = logits(ids, rows, Watcher.NOBODY);
    rows.advance();
    return logits;
  }

  /**
   * Likewise, of each sequence's last token alone, without the products of the others with the
   * vocabulary.
   *
   * @param counts at least one token of each
   * @return {@code [sequences, vocabulary]}, in the caller's scope
   */
  public Tensor lastLogits(int[] ids, List<KeyValueCache> caches, int[] counts) {
    int[] lasts = counts.clone();
    Arrays.parallelPrefix(lasts, Integer::sum);
    Arrays.setAll(lasts, i -> lasts[i] - 1);
    return logits(ids, caches, counts, lasts, (layer, rows) -> {});
  }

  /**
   * Likewise, of the tokens that are wanted.
   *
   * @param wanted numbers of rows among all of the call; may be none
   * @param load is told where the rows go
   * @return {@code [wanted, vocabulary]}, in the caller's scope
   */
  public Tensor logits(
      int[] ids, List<KeyValueCache> caches, int[] counts, int[] wanted, ExpertLoad load) {
    Rows rows = Rows.further(caches, counts);
    try (Scope scope = Scope.open()) {
      Tensor stream = last(ids, rows, new LoadWatcher(load));
      Tensor logits =
          vocabulary.logits(
              stream.indexSelect(0, Tensor.of(wanted, (long) wanted.length).to(device)));
      rows.advance();
      return scope.keep(logits);
    }
  }

  Tensor logits(int[] ids, Rows rows, Watcher watcher) {
    try (Scope scope = Scope.open()) {
      return scope.keep(vocabulary.logits(last(ids, rows, watcher)));
    }
  }

  /**
   * Sum of the cross-entropies of whole sequences, in nats, without gradients.
   *
   * @param targets the next token of each, or -1 where none is to be predicted
   */
  public double loss(int[] ids, int[] targets, int sequences) {
    try (Scope scope = Scope.open()) {
      return vocabulary.loss(last(ids, whole(ids, sequences, 0), Watcher.NOBODY), targets);
    }
  }

  private Rows whole(int[] ids, int sequences, int microBatch) {
    int length = ids.length / sequences;
    if (length > settings.context()) {
      throw new UsageException(
          "Sequences of " + length + " tokens do not fit a context of " + settings.context(),
          "Use shorter ones");
    }
    return Rows.whole(sequences, length, microBatch);
  }

  /** The stream behind the last norm, without anything for a way back. */
  private Tensor last(int[] ids, Rows rows, Watcher watcher) {
    requireKnown(ids);
    try (Scope scope = Scope.open();
        ExpertLending.Pass pass = lending.pass()) {
      Tensor x = scope.keep(vocabulary.embed(ids, rows));
      for (int i = 0; i < layers.size(); i++) {
        x = layer(i, x, rows, watcher, pass);
        scope.keep(x);
      }
      return scope.keep(finalNorm.forward(x));
    }
  }

  private Tensor layer(int number, Tensor x, Rows rows, Watcher watcher, ExpertLending.Pass pass) {
    try (Scope scope = Scope.open()) {
      Layer layer = layers.get(number);
      Tensor attended =
          x.add(layer.attention().forward(layer.attentionNorm().forward(x), rows).output());
      Tensor normed = layer.mixNorm().forward(attended);
      Branch.Pass mixed =
          settings.hasExperts(number)
              ? pass.through(() -> layer.mix().forward(normed, rows))
              : layer.mix().forward(normed, rows);
      if (mixed instanceof ExpertBranch.Routed routed) {
        watcher.choice(number, routed.choice());
      }
      Tensor y = attended.add(mixed.output());
      watcher.stream(number, y);
      return scope.keep(y);
    }
  }

  private void requireKnown(int[] ids) {
    for (int id : ids) {
      if (id < 0 || id >= settings.vocabulary()) {
        throw new UsageException(
            "Token " + id + " is not in a vocabulary of " + settings.vocabulary(),
            "Use the tokenizer of this model");
      }
    }
  }

  /** A branch of a training pass: what its norm read, and the way back. */
  private record Step(Norm norm, Tensor x, Branch.Pass pass) {}

  /**
   * Learns from whole sequences: adds the gradients of {@code crossEntropy / normaliser + lossScale
   * (auxiliary + zLoss)} to the parameters. With several ranks, gradients of experts then hold what
   * the tokens of all ranks of the grid add.
   *
   * @param ids sequence after sequence
   * @param targets the next token of each, or -1 where none is to be predicted
   * @param sequences of equal length
   * @param microBatch its number among those of the rank's step, from 0
   * @param normaliser tokens of the whole step on all ranks
   * @param lossScale one over the micro-batches of the whole step on all ranks
   */
  public Losses learn(
      int[] ids,
      int[] targets,
      int sequences,
      int microBatch,
      double normaliser,
      double lossScale) {
    requireKnown(ids);
    try (Scope scope = Scope.open()) {
      Rows rows = whole(ids, sequences, microBatch);
      List<Step> steps = new ArrayList<>();
      Tensor x = vocabulary.embed(ids, rows);
      for (Layer layer : layers) {
        x = step(layer.attentionNorm(), layer.attention(), x, rows, steps);
        x = step(layer.mixNorm(), layer.mix(), x, rows, steps);
      }
      Tensor normed = finalNorm.forward(x);
      Tensor ofNormed = Tensor.empty(normed.dtype(), device, normed.shape());
      double loss = vocabulary.lossWithGradient(normed, targets, normaliser, ofNormed, microBatch);
      Tensor dx = finalNorm.backward(x, ofNormed, microBatch);
      for (int i = steps.size() - 1; i >= 0; i--) {
        dx = back(steps.get(i), dx, lossScale, microBatch);
      }
      vocabulary.embedBack(ids, rows, dx);
      return losses(loss, targets, steps);
    }
  }

  private static Tensor step(Norm norm, Branch branch, Tensor x, Rows rows, List<Step> steps) {
    Branch.Pass pass = branch.forward(norm.forward(x), rows);
    steps.add(new Step(norm, x, pass));
    return x.add(pass.output());
  }

  private static Tensor back(Step step, Tensor dx, double lossScale, int microBatch) {
    try (Scope scope = Scope.open()) {
      Tensor ofBranch = step.pass().backward(dx, lossScale);
      return scope.keep(dx.add(step.norm().backward(step.x(), ofBranch, microBatch)));
    }
  }

  private static Losses losses(double crossEntropy, int[] targets, List<Step> steps) {
    int tokens = 0;
    for (int target : targets) {
      tokens += target == Vocabulary.NO_TARGET ? 0 : 1;
    }
    List<Choice> choices = new ArrayList<>();
    for (Step step : steps) {
      if (step.pass() instanceof ExpertBranch.Routed routed) {
        choices.add(routed.choice());
      }
    }
    return new Losses(
        crossEntropy,
        tokens,
        choices.stream().mapToDouble(Choice::auxiliaryLoss).sum(),
        choices.stream().mapToDouble(Choice::zLoss).sum(),
        choices.stream().map(choice -> choice.chosen().counts()).toList(),
        choices.stream().mapToDouble(choice -> choice.routing().dropRate()).average().orElse(0));
  }

  @Override
  public void close() {
    expertLayers.forEach(MoeLayer::close);
    owner.close();
  }
}
