package dev.gossamer.bench.lm;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.Samples;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.lm.train.StepReport;
import dev.gossamer.lm.train.Trainer;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.cuda.Card;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A model of the benchmark on this rank, ready to learn and to continue texts. */
final class LmEntrant implements AutoCloseable {
  private final MatchingCheck.Row arm;
  private final LmBenchSettings settings;
  private final Communicator world;
  private final Trainer trainer;
  private final int[] prompts;
  private Traffic sentBefore;
  private double exchangedBefore;
  private double waited;
  private StepReport last;

  LmEntrant(
      MatchingCheck.Row arm,
      LmCase of,
      LmBenchSettings settings,
      TokenFile text,
      Communicator world,
      int perNode,
      Device device,
      Threads threads) {
    this.arm = arm;
    this.settings = settings;
    this.world = world;
    this.prompts = prompts(text, settings, world.rank());
    this.trainer =
        new Trainer(of.training().withModel(arm.model()), text, world, perNode, device, threads);
  }

  /** Windows of the text, others on each rank. */
  private static int[] prompts(TokenFile text, LmBenchSettings settings, int rank) {
    Samples samples = new Samples(text, settings.prompt(), 0);
    int[] ids = new int[settings.texts() * settings.prompt()];
    int[] targets = new int[ids.length];
    for (int i = 0; i < settings.texts(); i++) {
      samples.read((long) rank * settings.texts() + i, ids, targets, i * settings.prompt());
    }
    return ids;
  }

  MatchingCheck.Row arm() {
    return arm;
  }

  /** A step of training on all ranks, and a wait for the slowest. */
  void learn() {
    last = trainer.next();
    waited += last.exchangeShare() * last.seconds();
    awaitAll();
  }

  /**
   * Continues this rank's texts while all others do, greedily.
   *
   * @return milliseconds from the beginning until each length was there on all ranks
   */
  List<Double> generate() {
    LanguageModel model = trainer.model();
    List<KeyValueCache> caches = new ArrayList<>();
    List<Double> laps = new ArrayList<>();
    long start = System.nanoTime();
    try {
      for (int i = 0; i < settings.texts(); i++) {
        caches.add(model.newCache(settings.prompt() + settings.longest()));
      }
      int[] ids = prompts;
      int[] counts = new int[settings.texts()];
      Arrays.fill(counts, settings.prompt());
      for (int made = 1; made <= settings.longest(); made++) {
        ids = likeliest(model, ids, caches, counts);
        Arrays.fill(counts, 1);
        if (settings.lengths().contains(made)) {
          awaitAll();
          laps.add((System.nanoTime() - start) / 1e6);
        }
      }
    } finally {
      caches.forEach(KeyValueCache::close);
    }
    return laps;
  }

  private static int[] likeliest(
      LanguageModel model, int[] ids, List<KeyValueCache> caches, int[] counts) {
    try (Scope scope = Scope.open()) {
      long[] next = model.lastLogits(ids, caches, counts).argmax(1).toLongs();
      return Arrays.stream(next).mapToInt(Math::toIntExact).toArray();
    }
  }

  private void awaitAll() {
    Card.synchronise(trainer.model().device());
    world.barrier();
  }

  /** Forgets what was counted before. */
  void begin() {
    sentBefore = trainer.traffic();
    exchangedBefore = exchanged();
    waited = 0;
  }

  /** What this rank's tokens have sent since it began, forward and backward. */
  Traffic sent() {
    return trainer.traffic().since(sentBefore);
  }

  /** Seconds since it began that this rank waited for rows of others. */
  double exchangeSeconds() {
    return exchanged() - exchangedBefore;
  }

  /** Likewise, for sums of gradients as well. */
  double waitSeconds() {
    return waited;
  }

  /** The last step. */
  StepReport last() {
    return last;
  }

  private double exchanged() {
    return trainer.model().expertLayers().stream()
        .mapToDouble(layer -> layer.clock().seconds(Phase.EXCHANGE))
        .sum();
  }

  @Override
  public void close() {
    trainer.close();
  }
}
