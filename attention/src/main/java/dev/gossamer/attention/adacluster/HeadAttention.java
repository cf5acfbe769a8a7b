package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.ClusterTail;
import dev.gossamer.attention.clusters.CoarseAttention;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.attention.clusters.Operands;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.clusters.VariableBlockAttention;
import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;

/**
 * One head at one step, from tokens to output: cluster queries, cluster keys, score, select,
 * attend. Runs on one thread, but for the attention itself, which may be cut in chunks.
 */
final class HeadAttention {
  private static final int BLOCK_TOKENS = 64;

  private final AdaClusterSession session;
  private final AdaClusterSettings settings;
  private final HeadState state;
  private final Scope owner;
  private final DType products;
  private final boolean recluster;
  private final long seed;
  private final TokenGrid grid;
  private final int headDim;

  /**
   * @param grid roles of the tokens
   * @param owner scope of the layer, for centroids that live on
   * @param recluster whether labels are made anew or those of an earlier step serve again
   */
  HeadAttention(
      AdaClusterSession session,
      HeadState state,
      TokenGrid grid,
      Scope owner,
      DType products,
      boolean recluster,
      long seed,
      int headDim) {
    this.session = session;
    this.settings = session.settings();
    this.state = state;
    this.owner = owner;
    this.products = products;
    this.recluster = recluster;
    this.seed = seed;
    this.headDim = headDim;
    this.grid = grid;
  }

  /** What happened, for the report. */
  record Outcome(
      double density, double pseudoKeys, double queryClusters, double keyClusters, double recall) {}

  /**
   * @param query {@code [tokens, headDim]}, likewise key and value
   * @param output {@code [tokens, headDim]}, written
   * @param chunks parts of the queries that threads may take
   */
  Outcome attend(Tensor query, Tensor key, Tensor value, Tensor output, int chunks) {
    Tensor keyMean = protectedVideo(key).to(DType.FLOAT32).mean(true, 0);
    Tensor queryRows = Operands.queryRows(query, products);
    Tensor keyRows = Operands.keyRows(key, keyMean, products);
    ClusterLayout queries = queryLayout(queryRows);
    ClusterLayout keys = keyLayout(keyRows, keyMean);
    Operands operands = Operands.of(queryRows, keyRows, value, queries, keys, products);
    KeyStatistics statistics = KeyStatistics.of(operands, keys);
    ClusterTail tail = statistics.tail(products);
    QueryGroups groups =
        settings.grouping() == AdaClusterSettings.Grouping.TILE
            ? QueryGroups.cuts(queries, settings.tileQueriesFor(queries.tokens()))
            : QueryGroups.clusters(queries);
    boolean tailCounts = settings.tail() != AdaClusterSettings.Tail.OFF;
    Optional<CoarseAttention> coarse =
        tailCounts ? Optional.of(new CoarseAttention(operands, tail)) : Optional.empty();
    ScoredHead scored = new ScoredHead(operands, groups, keys, statistics, tail, coarse);
    KeySelection selection = select(scored, queries);
    VariableBlockAttention attention =
        new VariableBlockAttention(
            operands, keys, groups, selection, coarse.map(all -> all.without(groups, selection)));
    Tensor sorted = Tensor.empty(products, query.size(0), value.size(1));
    session
        .threads()
        .forEach(
            chunks,
            chunk ->
                session.withWorkspace(
                    workspace ->
                        attention.attend(
                            groups.count() * chunk / chunks,
                            groups.count() * (chunk + 1) / chunks,
                            sorted,
                            workspace)));
    output.copyFrom(sorted.indexSelect(0, queries.inverse()));
    if (settings.reclusterEvery() > 1 || !session.plan().explained().isEmpty()) {
      state.labels(queries.labels(), keys.labels());
    }
    return new Outcome(
        selection.density(groups, keys),
        tailCounts ? keys.nonEmpty() / (double) keys.tokens() : 0,
        queries.nonEmpty(),
        keys.nonEmpty(),
        session.plan().measureRecall()
            ? RecallProbe.estimate(operands, groups, selection, keys, session.plan().recallRows())
            : Double.NaN);
  }

  private boolean protectsText() {
    return settings.text() == AdaClusterSettings.Text.ALWAYS
        && grid.textBefore() + grid.textAfter() > 0;
  }

  /** The rows of the video, without the text around it. */
  static Tensor video(Tensor tokens, TokenGrid grid) {
    return tokens.narrow(0, grid.textBefore(), grid.videoTokens());
  }

  /** The tokens that are clustered: without text, if text is protected. */
  private Tensor protectedVideo(Tensor tokens) {
    return protectsText() ? video(tokens, grid) : tokens;
  }

  private ClusterLayout queryLayout(Tensor queryRows) {
    if (!recluster && state.queryLabels().length == queryRows.size(0)) {
      return ClusterLayout.of(state.queryLabels(), 1 + max(state.queryLabels()));
    }
    Tensor video = protectedVideo(queryRows);
    if (settings.queryPartition() == AdaClusterSettings.Partition.BLOCKS) {
      return layout(ClusterLayout.contiguous((int) video.size(0), BLOCK_TOKENS));
    }
    KMeans.Clustering clustering =
        QueryClustering.run(video, headDim, state.queryCentroids(), settings, seed);
    state.queryCentroids(owner.adopt(clustering.centroids()));
    return layout(clustering);
  }

  private ClusterLayout keyLayout(Tensor keyRows, Tensor keyMean) {
    if (!recluster && state.keyLabels().length == keyRows.size(0)) {
      return ClusterLayout.of(state.keyLabels(), 1 + max(state.keyLabels()));
    }
    Tensor video = protectedVideo(keyRows);
    if (settings.keyPartition() == AdaClusterSettings.Partition.BLOCKS) {
      return layout(ClusterLayout.contiguous((int) video.size(0), BLOCK_TOKENS));
    }
    KMeans kmeans = new KMeans(video, headDim, settings.keyPartition().metric());
    // Centroids are kept in the keys' own coordinates: their mean moves from step to step.
    KMeans.Clustering clustering =
        state
            .keyCentroids()
            .map(before -> kmeans.lloyd(before.sub(keyMean), settings.iterationsStep()))
            .orElseGet(
                () ->
                    kmeans.lloyd(
                        kmeans.seeds(settings.keyClustersFor((int) video.size(0)), seed),
                        settings.iterationsFirst()));
    state.keyCentroids(owner.adopt(clustering.centroids().add(keyMean)));
    return layout(clustering);
  }

  private ClusterLayout layout(KMeans.Clustering clustering) {
    return withText(clustering.labels(), (int) clustering.centroids().size(0));
  }

  private ClusterLayout layout(ClusterLayout video) {
    return protectsText() ? withText(video.labels(), video.clusters()) : video;
  }

  /** Protected text becomes one more cluster, the last. */
  private ClusterLayout withText(int[] videoLabels, int clusters) {
    if (!protectsText()) {
      return ClusterLayout.of(videoLabels, clusters);
    }
    int[] labels = new int[grid.tokens()];
    Arrays.fill(labels, clusters);
    System.arraycopy(videoLabels, 0, labels, grid.textBefore(), videoLabels.length);
    return ClusterLayout.of(labels, clusters + 1);
  }

  private KeySelection select(ScoredHead head, ClusterLayout queries) {
    ClusterLayout keys = head.keyLayout();
    SelectionRule rule = settings.rule().forTokens(keys.tokens());
    boolean[] always = new boolean[keys.clusters()];
    int groupsOfVideo = head.groups().count();
    if (protectsText()) {
      always[keys.clusters() - 1] = true;
      int text = queries.start(queries.clusters() - 1);
      while (groupsOfVideo > 0 && head.groups().start(groupsOfVideo - 1) >= text) {
        groupsOfVideo--;
      }
    }
    float[] scores;
    float[] masses;
    float[] errors;
    double target = settings.tail() == AdaClusterSettings.Tail.OFF ? 0 : settings.errorTarget();
    try (Scope scope = Scope.open()) {
      Tensor score = settings.scorer().score(head);
      scores = score.toFloats();
      masses =
          !(rule instanceof SelectionRule.Mass)
              ? new float[0]
              : settings.scorer() instanceof CentroidMass
                  ? scores
                  : new QueryMass().score(head).toFloats();
      errors =
          target == 0 || settings.scorer() instanceof ExpectedError
              ? scores
              : new ExpectedError().score(head).toFloats();
    }
    return new ClusterSelection(rule, keys, always, target)
        .select(scores, masses, errors, groupsOfVideo);
  }

  private static int max(int[] labels) {
    int max = 0;
    for (int label : labels) {
      max = Math.max(max, label);
    }
    return max;
  }
}
