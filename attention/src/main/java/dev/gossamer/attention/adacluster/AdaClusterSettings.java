package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Every choice of {@link AdaCluster}. Zero for a count means: by the number of tokens.
 *
 * @param queryPartition how queries are grouped
 * @param queryClusters clusters of queries
 * @param keyPartition how keys are grouped
 * @param keyClusters clusters of keys, if the count is not found per layer
 * @param keyCounts whether the count of key clusters is found per layer, by the paper's thresholds
 * @param firstKeyClusters clusters of the first threshold stage (K0)
 * @param tauFactor threshold over the mean distance of keys from their centroids, over all layers
 * @param maxStages threshold stages before a layer counts as hard
 * @param maxKeyClusters clusters beyond which a layer counts as hard (N_max)
 * @param maxDenseLayerShare share of layers, the most dispersed ones, that may fall back to full
 *     attention when hard
 * @param iterationsFirst Lloyd iterations at the first sparse step
 * @param iterationsStep Lloyd iterations at each later step, from the centroids of the step before
 * @param reclusterEvery steps between clusterings; labels are kept in between
 * @param scorer how key clusters are ranked for a query group
 * @param rule how far down the ranking a group goes
 * @param errorTarget a group stops before its rule does when no more error than this is expected of
 *     the points that stand for what it leaves out, the sum of W v in {@link ExpectedError}; 0 for
 *     never, and without a tail it says nothing
 * @param grouping what shares one selection
 * @param tileQueries most queries of a tile, if tiles share a selection
 * @param tail whether clusters that are not selected count as one point each
 * @param denseSteps share of the first steps that attend in full; {@link #AUTO_STEPS} for a fifth,
 *     and from 50,000 tokens on a tenth
 * @param denseLayers layers that always attend in full
 * @param text whether text tokens of the same sequence are protected
 * @param minTokens sequences shorter than this attend in full
 * @param products type of the matrix products
 * @param execution what computes on a processor
 */
public record AdaClusterSettings(
    Partition queryPartition,
    int queryClusters,
    Partition keyPartition,
    int keyClusters,
    KeyCounts keyCounts,
    int firstKeyClusters,
    double tauFactor,
    int maxStages,
    int maxKeyClusters,
    double maxDenseLayerShare,
    int iterationsFirst,
    int iterationsStep,
    int reclusterEvery,
    ClusterScorer scorer,
    SelectionRule rule,
    double errorTarget,
    Grouping grouping,
    int tileQueries,
    Tail tail,
    double denseSteps,
    List<Integer> denseLayers,
    Text text,
    int minTokens,
    Products products,
    Execution execution) {

  /** {@link #denseSteps} by the number of tokens; {@code auto} as a setting. */
  public static final double AUTO_STEPS = -1;

  private static final int MANY_TOKENS = 50_000;

  /** How tokens are grouped. */
  public enum Partition {
    /** By direction: k-means on the unit sphere. */
    ANGLE,
    /** By distance: k-means. */
    EUCLIDEAN,
    /** Not at all: blocks of 64 neighbours in the sequence. */
    BLOCKS;

    KMeans.Metric metric() {
      return this == ANGLE ? KMeans.Metric.ANGLE : KMeans.Metric.EUCLIDEAN;
    }
  }

  /** Where the number of key clusters comes from. */
  public enum KeyCounts {
    /** Each layer as many as its keys need: threshold-wise multi-stage clustering. */
    ADAPTIVE,
    /** The same for every layer. */
    FIXED
  }

  /** What shares one selection of key clusters. */
  public enum Grouping {
    /** A query cluster, as in the paper. */
    CLUSTER,
    /** A few dozen queries of one cluster: finer where clusters are large. */
    TILE
  }

  /** Whether what is not selected still counts. */
  public enum Tail {
    /** As one point for each cluster. */
    CENTROID,
    OFF
  }

  /** What becomes of text tokens in the same sequence. */
  public enum Text {
    /** Every query attends to them and they attend to everything. */
    ALWAYS,
    /** They are clustered like video tokens. */
    CLUSTERED
  }

  /** Type of the matrix products; sums and softmax are float32 inside in any case. */
  public enum Products {
    /**
     * On a processor float32 where {@link Execution} is by its vectors, else bf16 if it multiplies
     * that natively, else float32; elsewhere as they come.
     */
    AUTO,
    /** As the tensors come. */
    INPUT,
    FLOAT32,
    BFLOAT16
  }

  /** What computes on a processor; elsewhere it is always libtorch. */
  public enum Execution {
    /**
     * Fused loops on the processor's vectors, if Java may use them ({@link
     * dev.gossamer.attention.vector.VectorApi}) and the products are not bf16; else libtorch. On a
     * processor with a matrix unit for bf16 (AMX) libtorch from 8,192 tokens on, unless the
     * products are float32.
     */
    AUTO,
    /** Operations of libtorch. */
    LIBTORCH
  }

  public AdaClusterSettings {
    atLeast(0, queryClusters, "kq");
    atLeast(0, keyClusters, "kk");
    atLeast(0, firstKeyClusters, "k0");
    atLeast(0, maxKeyClusters, "nMax");
    atLeast(1, maxStages, "maxStages");
    atLeast(1, iterationsFirst, "itersFirst");
    atLeast(1, iterationsStep, "itersStep");
    atLeast(1, reclusterEvery, "reclusterEvery");
    atLeast(0, tileQueries, "tileQueries");
    atLeast(0, minTokens, "minTokens");
    share(maxDenseLayerShare, "maxDenseLayerShare");
    if (denseSteps != AUTO_STEPS) {
      share(denseSteps, "denseSteps");
    }
    if (!(errorTarget >= 0 && errorTarget < Double.POSITIVE_INFINITY)) {
      throw new UsageException("errorTarget is " + errorTarget, "Use a number of at least 0");
    }
    if (!(tauFactor > 0)) {
      throw new UsageException("tauFactor is " + tauFactor, "Use a number above 0");
    }
    denseLayers = List.copyOf(denseLayers);
    if (keyCounts == KeyCounts.ADAPTIVE && keyPartition != Partition.EUCLIDEAN) {
      throw new UsageException(
          "keyCounts=adaptive needs keys clustered by distance", "Use keyMetric=euclidean");
    }
  }

  private static void atLeast(int least, int value, String name) {
    if (value < least) {
      throw new UsageException(name + " is " + value, "Use at least " + least);
    }
  }

  private static void share(double value, String name) {
    if (!(value >= 0 && value <= 1)) {
      throw new UsageException(name + " is " + value, "Use a share between 0 and 1");
    }
  }

  /**
   * The paper as published: angles for queries, counts per layer for keys, TensorQuest, a fixed
   * share of clusters, no tail; one full step for calibration.
   */
  public static final AdaClusterSettings PAPER =
      new AdaClusterSettings(
          Partition.ANGLE,
          65,
          Partition.EUCLIDEAN,
          0,
          KeyCounts.ADAPTIVE,
          0,
          1.5,
          6,
          0,
          0.15,
          5,
          1,
          1,
          new TensorQuest(),
          new SelectionRule.TopShare(0.15),
          0,
          Grouping.CLUSTER,
          0,
          Tail.OFF,
          0,
          List.of(),
          Text.CLUSTERED,
          2048,
          Products.AUTO,
          Execution.AUTO);

  /** Clusters alone, without the tail: query mass and a budget of a quarter of the keys. */
  public static final AdaClusterSettings CLUSTER =
      PAPER
          .withQueryClusters(0)
          .withScorer(new QueryMass())
          .withRule(new SelectionRule.Graded(List.of(40_000, 100_000), List.of(0.25, 0.20, 0.12)))
          .withDenseSteps(AUTO_STEPS)
          .withDenseLayers(List.of(0))
          .withText(Text.ALWAYS);

  /**
   * Our step beyond the paper: expected error, the tail, and no more keys than the error target
   * asks for.
   */
  public static final AdaClusterSettings DEFAULT =
      CLUSTER
          .withKeyCounts(KeyCounts.FIXED)
          .withScorer(new ExpectedError())
          .withRule(new SelectionRule.Graded(List.of(8192), List.of(0.15, 0.10)))
          .withErrorTarget(0.1)
          .withGrouping(Grouping.TILE)
          .withTail(Tail.CENTROID)
          .withDenseLayers(List.of());

  private static final Map<String, AdaClusterSettings> PRESETS =
      new java.util.TreeMap<>(Map.of("paper", PAPER, "cluster", CLUSTER, "default", DEFAULT));

  /** The named sets of settings: {@code paper}, {@code cluster}, {@code default}. */
  public static Map<String, AdaClusterSettings> presets() {
    return java.util.Collections.unmodifiableMap(PRESETS);
  }

  /** Clusters of queries for a sequence. */
  int queryClustersFor(int tokens) {
    int auto = tail != Tail.OFF ? clamp(tokens / 36, 32, 160) : clamp(tokens / 512, 48, 160);
    int wanted = queryClusters > 0 ? queryClusters : auto;
    return Math.min(wanted, Math.max(1, tokens / 32));
  }

  /**
   * Most queries of a tile for a sequence. Copying keys pays off over more rows when there are
   * many.
   */
  int tileQueriesFor(int tokens) {
    return tileQueries > 0 ? tileQueries : tokens < 8192 ? 64 : 96;
  }

  /** Clusters of keys for a sequence, where they are fixed. */
  int keyClustersFor(int tokens) {
    int auto = tokens <= 8192 ? Math.max(1, tokens / 16) : clamp(tokens / 32, 512, 1024);
    int wanted = keyClusters > 0 ? keyClusters : auto;
    return Math.min(wanted, Math.max(1, tokens / 2));
  }

  /** Clusters of the first threshold stage (K0) for a sequence. */
  int firstKeyClustersFor(int tokens) {
    int wanted = firstKeyClusters > 0 ? firstKeyClusters : tokens < 50_000 ? 200 : 256;
    return Math.min(wanted, Math.max(1, tokens / 16));
  }

  /** The most clusters that the thresholds may find (N_max) for a sequence. */
  int maxKeyClustersFor(int tokens) {
    int auto = Math.min(Math.max(512, tokens / 48), 4096);
    return Math.min(maxKeyClusters > 0 ? maxKeyClusters : auto, Math.max(1, tokens / 2));
  }

  /** First step that is not computed in full, of a number of steps, for a sequence. */
  int firstSparseStep(int steps, int tokens) {
    double auto = tokens < MANY_TOKENS ? 0.2 : 0.1;
    double share = denseSteps == AUTO_STEPS ? auto : denseSteps;
    int dense = (int) Math.ceil(share * steps - 1e-9);
    return Math.max(dense, keyCounts == KeyCounts.ADAPTIVE ? 1 : 0);
  }

  private static int clamp(int value, int low, int high) {
    return Math.max(low, Math.min(high, value));
  }

  // One setting by its name on the command line

  private static final Map<String, BiFunction<AdaClusterSettings, String, AdaClusterSettings>>
      READERS = new LinkedHashMap<>();
  private static final Map<String, Function<AdaClusterSettings, Object>> PRINTERS =
      new LinkedHashMap<>();

  private static void setting(
      String name,
      Function<AdaClusterSettings, Object> printer,
      BiFunction<AdaClusterSettings, String, AdaClusterSettings> reader) {
    PRINTERS.put(name, printer);
    READERS.put(name, reader);
  }

  static {
    setting(
        "queryMetric",
        s -> word(s.queryPartition),
        (s, v) -> s.withQueryPartition(choice(Partition.class, v)));
    setting("kq", s -> s.queryClusters, (s, v) -> s.withQueryClusters(whole(v)));
    setting(
        "keyMetric",
        s -> word(s.keyPartition),
        (s, v) -> s.withKeyPartition(choice(Partition.class, v)));
    setting("kk", s -> s.keyClusters, (s, v) -> s.withKeyClusters(whole(v)));
    setting(
        "keyCounts", s -> word(s.keyCounts), (s, v) -> s.withKeyCounts(choice(KeyCounts.class, v)));
    setting("k0", s -> s.firstKeyClusters, (s, v) -> s.withFirstKeyClusters(whole(v)));
    setting("tauFactor", s -> s.tauFactor, (s, v) -> s.withTauFactor(real(v)));
    setting("maxStages", s -> s.maxStages, (s, v) -> s.withMaxStages(whole(v)));
    setting("nMax", s -> s.maxKeyClusters, (s, v) -> s.withMaxKeyClusters(whole(v)));
    setting(
        "maxDenseLayerShare",
        s -> s.maxDenseLayerShare,
        (s, v) -> s.withMaxDenseLayerShare(real(v)));
    setting("itersFirst", s -> s.iterationsFirst, (s, v) -> s.withIterationsFirst(whole(v)));
    setting("itersStep", s -> s.iterationsStep, (s, v) -> s.withIterationsStep(whole(v)));
    setting("reclusterEvery", s -> s.reclusterEvery, (s, v) -> s.withReclusterEvery(whole(v)));
    setting("scorer", s -> s.scorer.name(), (s, v) -> s.withScorer(ClusterScorer.parse(v)));
    setting("rule", s -> s.rule.toString(), (s, v) -> s.withRule(SelectionRule.parse(v)));
    setting("errorTarget", s -> s.errorTarget, (s, v) -> s.withErrorTarget(real(v)));
    setting("grouping", s -> word(s.grouping), (s, v) -> s.withGrouping(choice(Grouping.class, v)));
    setting("tileQueries", s -> s.tileQueries, (s, v) -> s.withTileQueries(whole(v)));
    setting("tail", s -> word(s.tail), (s, v) -> s.withTail(choice(Tail.class, v)));
    setting(
        "denseSteps",
        s -> s.denseSteps == AUTO_STEPS ? "auto" : (Object) s.denseSteps,
        (s, v) -> s.withDenseSteps(v.equals("auto") ? AUTO_STEPS : real(v)));
    setting("denseLayers", s -> s.denseLayers.toString(), (s, v) -> s.withDenseLayers(wholes(v)));
    setting("text", s -> word(s.text), (s, v) -> s.withText(choice(Text.class, v)));
    setting("minTokens", s -> s.minTokens, (s, v) -> s.withMinTokens(whole(v)));
    setting("products", s -> word(s.products), (s, v) -> s.withProducts(choice(Products.class, v)));
    setting(
        "execution", s -> word(s.execution), (s, v) -> s.withExecution(choice(Execution.class, v)));
  }

  /** The names of all settings, as {@link #with} takes them. */
  public static List<String> names() {
    return List.copyOf(READERS.keySet());
  }

  /**
   * These settings with one changed.
   *
   * @throws UsageException for an unknown name or a value that does not fit
   */
  public AdaClusterSettings with(String name, String value) {
    BiFunction<AdaClusterSettings, String, AdaClusterSettings> reader = READERS.get(name);
    if (reader == null) {
      throw new UsageException(
          "Unknown attention setting '" + name + "'", "Use one of: " + String.join(", ", names()));
    }
    try {
      return reader.apply(this, value);
    } catch (NumberFormatException e) {
      throw new UsageException(
          "Attention setting " + name + " is '" + value + "', not a number", "Use a number");
    }
  }

  /** Every setting with its value, by the names that {@link #with} takes. */
  public Map<String, Object> asMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    PRINTERS.forEach((name, printer) -> map.put(name, printer.apply(this)));
    return map;
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(java.util.Locale.ROOT);
  }

  private static <E extends Enum<E>> E choice(Class<E> type, String value) {
    Optional<E> found =
        Arrays.stream(type.getEnumConstants())
            .filter(e -> word(e).equalsIgnoreCase(value))
            .findFirst();
    return found.orElseThrow(
        () ->
            new UsageException(
                "'" + value + "' is no choice here",
                "Use one of: "
                    + String.join(
                        ", ", Arrays.stream(type.getEnumConstants()).map(e -> word(e)).toList())));
  }

  private static int whole(String value) {
    return value.equals("auto") ? 0 : Integer.parseInt(value.trim());
  }

  private static double real(String value) {
    return Double.parseDouble(value.trim());
  }

  private static List<Integer> wholes(String value) {
    String inner = value.replaceAll("[\\[\\] ]", "");
    return inner.isEmpty()
        ? List.of()
        : Arrays.stream(inner.split(",")).map(Integer::valueOf).toList();
  }

  // One setting by its type

  public AdaClusterSettings withQueryPartition(Partition value) {
    return change(draft -> draft.queryPartition = value);
  }

  public AdaClusterSettings withQueryClusters(int value) {
    return change(draft -> draft.queryClusters = value);
  }

  public AdaClusterSettings withKeyPartition(Partition value) {
    return change(draft -> draft.keyPartition = value);
  }

  public AdaClusterSettings withKeyClusters(int value) {
    return change(draft -> draft.keyClusters = value);
  }

  public AdaClusterSettings withKeyCounts(KeyCounts value) {
    return change(draft -> draft.keyCounts = value);
  }

  public AdaClusterSettings withFirstKeyClusters(int value) {
    return change(draft -> draft.firstKeyClusters = value);
  }

  public AdaClusterSettings withTauFactor(double value) {
    return change(draft -> draft.tauFactor = value);
  }

  public AdaClusterSettings withMaxStages(int value) {
    return change(draft -> draft.maxStages = value);
  }

  public AdaClusterSettings withMaxKeyClusters(int value) {
    return change(draft -> draft.maxKeyClusters = value);
  }

  public AdaClusterSettings withMaxDenseLayerShare(double value) {
    return change(draft -> draft.maxDenseLayerShare = value);
  }

  public AdaClusterSettings withIterationsFirst(int value) {
    return change(draft -> draft.iterationsFirst = value);
  }

  public AdaClusterSettings withIterationsStep(int value) {
    return change(draft -> draft.iterationsStep = value);
  }

  public AdaClusterSettings withReclusterEvery(int value) {
    return change(draft -> draft.reclusterEvery = value);
  }

  public AdaClusterSettings withScorer(ClusterScorer value) {
    return change(draft -> draft.scorer = value);
  }

  public AdaClusterSettings withRule(SelectionRule value) {
    return change(draft -> draft.rule = value);
  }

  public AdaClusterSettings withErrorTarget(double value) {
    return change(draft -> draft.errorTarget = value);
  }

  public AdaClusterSettings withGrouping(Grouping value) {
    return change(draft -> draft.grouping = value);
  }

  public AdaClusterSettings withTileQueries(int value) {
    return change(draft -> draft.tileQueries = value);
  }

  public AdaClusterSettings withTail(Tail value) {
    return change(draft -> draft.tail = value);
  }

  public AdaClusterSettings withDenseSteps(double value) {
    return change(draft -> draft.denseSteps = value);
  }

  public AdaClusterSettings withDenseLayers(List<Integer> value) {
    return change(draft -> draft.denseLayers = value);
  }

  public AdaClusterSettings withText(Text value) {
    return change(draft -> draft.text = value);
  }

  public AdaClusterSettings withMinTokens(int value) {
    return change(draft -> draft.minTokens = value);
  }

  public AdaClusterSettings withProducts(Products value) {
    return change(draft -> draft.products = value);
  }

  public AdaClusterSettings withExecution(Execution value) {
    return change(draft -> draft.execution = value);
  }

  private AdaClusterSettings change(Consumer<Draft> change) {
    Draft draft = new Draft(this);
    change.accept(draft);
    return draft.settings();
  }

  /** The same fields, open to one change. */
  private static final class Draft {
    private Partition queryPartition;
    private int queryClusters;
    private Partition keyPartition;
    private int keyClusters;
    private KeyCounts keyCounts;
    private int firstKeyClusters;
    private double tauFactor;
    private int maxStages;
    private int maxKeyClusters;
    private double maxDenseLayerShare;
    private int iterationsFirst;
    private int iterationsStep;
    private int reclusterEvery;
    private ClusterScorer scorer;
    private SelectionRule rule;
    private double errorTarget;
    private Grouping grouping;
    private int tileQueries;
    private Tail tail;
    private double denseSteps;
    private List<Integer> denseLayers;
    private Text text;
    private int minTokens;
    private Products products;
    private Execution execution;

    Draft(AdaClusterSettings from) {
      queryPartition = from.queryPartition;
      queryClusters = from.queryClusters;
      keyPartition = from.keyPartition;
      keyClusters = from.keyClusters;
      keyCounts = from.keyCounts;
      firstKeyClusters = from.firstKeyClusters;
      tauFactor = from.tauFactor;
      maxStages = from.maxStages;
      maxKeyClusters = from.maxKeyClusters;
      maxDenseLayerShare = from.maxDenseLayerShare;
      iterationsFirst = from.iterationsFirst;
      iterationsStep = from.iterationsStep;
      reclusterEvery = from.reclusterEvery;
      scorer = from.scorer;
      rule = from.rule;
      errorTarget = from.errorTarget;
      grouping = from.grouping;
      tileQueries = from.tileQueries;
      tail = from.tail;
      denseSteps = from.denseSteps;
      denseLayers = from.denseLayers;
      text = from.text;
      minTokens = from.minTokens;
      products = from.products;
      execution = from.execution;
    }

    AdaClusterSettings settings() {
      return new AdaClusterSettings(
          queryPartition,
          queryClusters,
          keyPartition,
          keyClusters,
          keyCounts,
          firstKeyClusters,
          tauFactor,
          maxStages,
          maxKeyClusters,
          maxDenseLayerShare,
          iterationsFirst,
          iterationsStep,
          reclusterEvery,
          scorer,
          rule,
          errorTarget,
          grouping,
          tileQueries,
          tail,
          denseSteps,
          denseLayers,
          text,
          minTokens,
          products,
          execution);
    }
  }
}
