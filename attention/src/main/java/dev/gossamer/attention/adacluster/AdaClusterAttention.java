package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.Attention;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.vector.VectorApi;
import dev.gossamer.attention.vector.VectorTile;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.Stopwatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * AdaCluster in one layer and branch: decides between full and clustered attention, carries
 * centroids from step to step, and spreads the heads over threads.
 */
final class AdaClusterAttention implements Attention, AutoCloseable {
  private static final boolean NATIVE_BFLOAT16 = Machine.here().bfloat16();
  private static final boolean MATRIX_UNIT = Machine.here().bfloat16MatrixUnit();

  /** From here on libtorch's products on such a unit win over loops on vectors. */
  private static final long MATRIX_UNIT_TOKENS = 8192;

  private static final double NEARLY_ALL = 0.95;
  private static final String CARD = "card.";

  private final AdaClusterSession session;
  private final AdaClusterSettings settings;
  private final int layer;
  private final int branch;

  private final Scope owner = Scope.detached();
  private HeadState[] heads = new HeadState[0];
  private CardHeads card; // made when a card is first used
  private final Map<String, Tensor> ofCard = new TreeMap<>(); // saved, until there is a card
  private boolean hard;
  private boolean counted;
  private int lastClustered = -1;

  AdaClusterAttention(AdaClusterSession session, int layer, int branch) {
    this.session = session;
    this.settings = session.settings();
    this.layer = layer;
    this.branch = branch;
  }

  @Override
  public Tensor attend(Tensor query, Tensor key, Tensor value, int step) {
    Stopwatch watch = Stopwatch.start(query.device());
    String reason = whyDense(query, step);
    if (reason.isEmpty()
        && settings.keyCounts() == AdaClusterSettings.KeyCounts.ADAPTIVE
        && !counted) {
      countClusters(key);
      reason = whyDense(query, step);
    }
    if (!reason.isEmpty()) {
      Tensor output = DenseAttention.attend(query, key, value, session.threads());
      if (step == firstSparseStep(query) - 1) {
        calibrate(key);
      }
      session.log().dense(step, layer, branch, reason, watch);
      return output;
    }
    return query.device().isCpu()
        ? clustered(query, key, value, step, watch)
        : onCard(query, key, value, step, watch);
  }

  private Tensor onCard(Tensor query, Tensor key, Tensor value, int step, Stopwatch watch) {
    boolean explained = session.plan().explained().contains(step);
    CardHeads.Attended attended =
        card(query)
            .attend(query, key, value, reclusters(step), session.plan().recallRows(), explained);
    lastClustered = reclusters(step) ? step : lastClustered;
    session.log().add(attended.facts().call(step, layer, branch, watch.stop()));
    if (explained) {
      session.log().add(card(query).labels(step, layer, branch));
    }
    return attended.output();
  }

  private CardHeads card(Tensor like) {
    if (card == null) {
      card =
          new CardHeads(
              settings,
              session.plan().grid(branch),
              this::seed,
              session.execution(like.device(), (int) like.size(3), like.dtype()));
      card.restore(CARD, ofCard, like.device());
      ofCard.values().forEach(Tensor::close);
      ofCard.clear();
    }
    return card;
  }

  private boolean reclusters(int step) {
    return lastClustered < 0 || step - lastClustered >= settings.reclusterEvery();
  }

  private String whyDense(Tensor query, int step) {
    if (query.size(2) < settings.minTokens()) {
      return "short";
    }
    if (step < firstSparseStep(query)) {
      return "first steps";
    }
    if (settings.denseLayers().contains(layer)) {
      return "chosen layer";
    }
    if (settings.rule().forTokens((int) query.size(2)) instanceof SelectionRule.Budget budget
        && budget.share() >= NEARLY_ALL) {
      return "nearly all keys";
    }
    return hard ? "hard layer" : "";
  }

  private int firstSparseStep(Tensor query) {
    return settings.firstSparseStep(session.plan().steps(), (int) query.size(2));
  }

  /** The type in which this call multiplies. */
  private DType products(Tensor query) {
    return switch (settings.products()) {
      case AUTO -> fastest(query);
      case INPUT -> asTheyCome(query);
      case FLOAT32 -> DType.FLOAT32;
      case BFLOAT16 -> DType.BFLOAT16;
    };
  }

  private static DType fastest(Tensor query) {
    if (!query.device().isCpu()) {
      return asTheyCome(query);
    }
    return NATIVE_BFLOAT16 ? DType.BFLOAT16 : DType.FLOAT32;
  }

  private static DType asTheyCome(Tensor query) {
    return query.dtype() == DType.BFLOAT16 ? DType.BFLOAT16 : DType.FLOAT32;
  }

  private boolean onVectors(Tensor query) {
    boolean float32 =
        settings.products() == AdaClusterSettings.Products.AUTO || products(query) == DType.FLOAT32;
    return settings.execution() == AdaClusterSettings.Execution.AUTO
        && float32
        && !isForMatrixUnit(query)
        && query.device().isCpu()
        && VectorApi.available()
        && VectorTile.fits(query.size(2), query.size(3));
  }

  private boolean isForMatrixUnit(Tensor query) {
    return MATRIX_UNIT
        && settings.products() == AdaClusterSettings.Products.AUTO
        && query.size(2) >= MATRIX_UNIT_TOKENS;
  }

  private void calibrate(Tensor key) {
    if (settings.keyCounts() != AdaClusterSettings.KeyCounts.ADAPTIVE
        || key.size(2) < settings.minTokens()
        || settings.denseLayers().contains(layer)) {
      return;
    }
    if (!key.device().isCpu()) {
      session.calibrate(layer, branch, card(key).dispersion(key));
      return;
    }
    int count = headCount(key);
    KeyClustering.Dispersion[] found = new KeyClustering.Dispersion[count];
    session
        .threads()
        .forEach(
            count, h -> found[h] = KeyClustering.dispersion(centred(key, h), settings, seed(h)));
    double distance = Arrays.stream(found).mapToDouble(KeyClustering.Dispersion::distance).sum();
    double squared = Arrays.stream(found).mapToDouble(KeyClustering.Dispersion::squared).sum();
    session.calibrate(
        layer, branch, new KeyClustering.Dispersion(distance / count, squared / count));
  }

  /** Finds the number of key clusters of this layer, and with it the first centroids. */
  private void countClusters(Tensor key) {
    counted = true;
    if (!key.device().isCpu()) {
      hard = card(key).countClusters(key, session.tau()) && session.mayFallBack(layer);
      return;
    }
    try (Scope scope = Scope.open()) {
      int count = headCount(key);
      List<Tensor> keys = new ArrayList<>();
      for (int h = 0; h < count; h++) {
        keys.add(centred(key, h));
      }
      KeyClustering.Staged staged =
          KeyClustering.stages(keys, session.tau(), settings, seed(0), session.threads(), owner);
      hard = staged.hard() && session.mayFallBack(layer);
      resize(count);
      for (int h = 0; h < count && !hard; h++) {
        Tensor mean = keyMean(key, h);
        heads[h].keyCentroids(owner.adopt(staged.centroids().get(h).add(mean)));
      }
    }
  }

  private Tensor clustered(Tensor query, Tensor key, Tensor value, int step, Stopwatch watch) {
    int count = headCount(query);
    resize(count);
    DType products = products(query);
    boolean recluster = reclusters(step);
    HeadAttention.Outcome[] outcomes = new HeadAttention.Outcome[count];
    long heads = query.size(1);
    long tokens = query.size(2);
    // Tokens before heads in memory: joining the heads afterwards then costs nothing.
    Tensor output =
        Tensor.empty(query.dtype(), query.size(0), tokens, heads, query.size(3)).transpose(1, 2);
    boolean vectors = onVectors(query);
    session
        .threads()
        .forEach(
            count,
            h -> {
              HeadAttention head =
                  new HeadAttention(
                      session, this.heads[h], owner, clusteredTokens(), recluster, seed(h));
              Tensor q = slice(query, h);
              Tensor k = slice(key, h);
              Tensor v = slice(value, h);
              Tensor out = slice(output, h);
              if (vectors) {
                session.withVectors(
                    memory ->
                        outcomes[h] =
                            head.attend(
                                new VectorExecution(
                                    session, clusteredTokens(), q, k, v, memory, chunks(count)),
                                out));
              } else {
                outcomes[h] =
                    head.attend(
                        new LibtorchExecution(
                            session, products, clusteredTokens(), q, k, v, chunks(count)),
                        out);
              }
            });
    if (recluster) {
      lastClustered = step;
    }
    note(outcomes, step, watch);
    return output;
  }

  /** Parts of a head's queries that threads may take: one if the heads themselves fill them. */
  private int chunks(int count) {
    int threads = session.threads().count();
    return count % threads == 0 ? 1 : threads;
  }

  private void note(HeadAttention.Outcome[] outcomes, int step, Stopwatch watch) {
    double seconds = watch.stop().getAsDouble();
    session
        .log()
        .add(
            new AttentionReport.Call(
                step,
                layer,
                branch,
                "",
                mean(outcomes, HeadAttention.Outcome::density),
                mean(outcomes, HeadAttention.Outcome::pseudoKeys),
                (int) Math.round(mean(outcomes, HeadAttention.Outcome::queryClusters)),
                (int) Math.round(mean(outcomes, HeadAttention.Outcome::keyClusters)),
                mean(outcomes, HeadAttention.Outcome::recall),
                seconds));
    if (session.plan().explained().contains(step)) {
      HeadState first = heads[0];
      session
          .log()
          .add(
              new AttentionReport.ClusterLabels(
                  step, layer, branch, 0, first.queryLabels(), first.keyLabels()));
    }
  }

  private static double mean(
      HeadAttention.Outcome[] outcomes,
      java.util.function.ToDoubleFunction<HeadAttention.Outcome> of) {
    return Arrays.stream(outcomes).mapToDouble(of).average().orElse(Double.NaN);
  }

  private void resize(int count) {
    if (heads.length != count) {
      heads = new HeadState[count];
      Arrays.setAll(heads, h -> new HeadState());
    }
  }

  private static int headCount(Tensor tensor) {
    return (int) (tensor.size(0) * tensor.size(1));
  }

  private static Tensor slice(Tensor tensor, int head) {
    long heads = tensor.size(1);
    return tensor.select(0, head / heads).select(0, head % heads);
  }

  private Tensor keyMean(Tensor key, int head) {
    return clusteredTokens().of(slice(key, head)).to(DType.FLOAT32).mean(true, 0);
  }

  private Tensor centred(Tensor key, int head) {
    Tensor video = clusteredTokens().of(slice(key, head)).to(DType.FLOAT32);
    return video.sub(video.mean(true, 0)).to(products(key)).contiguous();
  }

  private ClusteredTokens clusteredTokens() {
    TokenGrid grid = session.plan().grid(branch);
    return settings.text() == AdaClusterSettings.Text.ALWAYS
        ? new ClusteredTokens(grid.textBefore(), grid.videoTokens(), grid.tokens())
        : new ClusteredTokens(0, grid.tokens(), grid.tokens());
  }

  /** Shifts the seeds of the clustering: another number for every seed, layer and head. */
  private long seed(int head) {
    long mixed = session.plan().seed() * 0x9E3779B97F4A7C15L + layer * 1009L + head * 9176L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return mixed ^ (mixed >>> 31);
  }

  void save(String prefix, Map<String, Tensor> state) {
    if (counted || lastClustered >= 0) {
      state.put(
          prefix + "facts",
          Tensor.of(new long[] {counted ? 1 : 0, hard ? 1 : 0, lastClustered, heads.length}, 4));
    }
    for (int h = 0; h < heads.length; h++) {
      heads[h].save(prefix + "head" + h + ".", state);
    }
    if (card != null) {
      card.save(prefix + CARD, state);
    }
  }

  /** Takes over a saved state; returns the names that it read. */
  TreeSet<String> restore(String prefix, Map<String, Tensor> state) {
    TreeSet<String> read = new TreeSet<>();
    Optional<Tensor> facts = Optional.ofNullable(state.get(prefix + "facts"));
    if (facts.isPresent()) {
      long[] numbers = facts.get().toLongs();
      counted = numbers[0] != 0;
      hard = numbers[1] != 0;
      lastClustered = (int) numbers[2];
      resize((int) numbers[3]);
      read.add(prefix + "facts");
    }
    for (int h = 0; h < heads.length; h++) {
      read.addAll(heads[h].restore(prefix + "head" + h + ".", state, owner));
    }
    for (Map.Entry<String, Tensor> saved : state.entrySet()) {
      if (saved.getKey().startsWith(prefix + CARD)) {
        try (Scope scope = Scope.open()) {
          ofCard.put(
              saved.getKey().substring(prefix.length()), owner.adopt(saved.getValue().copy()));
        }
        read.add(saved.getKey());
      }
    }
    return read;
  }

  @Override
  public void close() {
    if (card != null) {
      card.close();
    }
    owner.close();
  }
}
