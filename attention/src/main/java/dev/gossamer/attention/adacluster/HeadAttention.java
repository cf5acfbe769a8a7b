package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.attention.kmeans.Lloyd;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

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
  private final boolean recluster;
  private final long seed;
  private final ClusteredTokens clustered;

  /**
   * @param owner scope of the layer, for centroids that live on
   * @param recluster whether labels are made anew or those of an earlier step serve again
   */
  HeadAttention(
      AdaClusterSession session,
      HeadState state,
      Scope owner,
      ClusteredTokens clustered,
      boolean recluster,
      long seed) {
    this.session = session;
    this.settings = session.settings();
    this.state = state;
    this.owner = owner;
    this.clustered = clustered;
    this.recluster = recluster;
    this.seed = seed;
  }

  /** What happened, for the report. */
  record Outcome(
      double density, double pseudoKeys, double queryClusters, double keyClusters, double recall) {}

  /**
   * @param head its arithmetic
   * @param output {@code [tokens, headDim]}, written
   */
  Outcome attend(HeadExecution head, Tensor output) {
    ClusterLayout queries = queryLayout(head);
    ClusterLayout keys = keyLayout(head);
    QueryGroups groups =
        settings.grouping() == AdaClusterSettings.Grouping.TILE
            ? QueryGroups.cuts(queries, settings.tileQueriesFor(queries.tokens()))
            : QueryGroups.clusters(queries);
    boolean tailCounts = settings.tail() != AdaClusterSettings.Tail.OFF;
    ScoredHead scored = head.sort(queries, keys, groups, tailCounts);
    KeySelection selection = select(scored, queries, keys, groups);
    head.attend(selection, output);
    if (settings.reclusterEvery() > 1 || !session.plan().explained().isEmpty()) {
      state.labels(queries.labels(), keys.labels());
    }
    return new Outcome(
        selection.density(groups, keys),
        tailCounts ? keys.nonEmpty() / (double) keys.tokens() : 0,
        queries.nonEmpty(),
        keys.nonEmpty(),
        session.plan().measureRecall()
            ? head.recall(selection, session.plan().recallRows())
            : Double.NaN);
  }

  private ClusterLayout queryLayout(HeadExecution head) {
    if (!recluster && state.queryLabels().length == clustered.tokens()) {
      return ClusterLayout.of(state.queryLabels(), 1 + max(state.queryLabels()));
    }
    if (settings.queryPartition() == AdaClusterSettings.Partition.BLOCKS) {
      return blocks();
    }
    KMeans.Clustering clustering =
        QueryClustering.run(
            head.queryPoints(), clustered.count(), state.queryCentroids(), settings, seed);
    state.queryCentroids(owner.adopt(clustering.centroids()));
    return layout(clustering);
  }

  private ClusterLayout keyLayout(HeadExecution head) {
    if (!recluster && state.keyLabels().length == clustered.tokens()) {
      return ClusterLayout.of(state.keyLabels(), 1 + max(state.keyLabels()));
    }
    if (settings.keyPartition() == AdaClusterSettings.Partition.BLOCKS) {
      return blocks();
    }
    Lloyd keys = head.keyPoints();
    Tensor mean = head.keyMean();
    // Centroids are kept in the keys' own coordinates: their mean moves from step to step.
    KMeans.Clustering clustering =
        state
            .keyCentroids()
            .map(before -> keys.lloyd(before.sub(mean), settings.iterationsStep()))
            .orElseGet(
                () ->
                    keys.lloyd(
                        keys.seeds(settings.keyClustersFor(clustered.count()), seed),
                        settings.iterationsFirst()));
    state.keyCentroids(owner.adopt(clustering.centroids().add(mean)));
    return layout(clustering);
  }

  private ClusterLayout layout(KMeans.Clustering clustering) {
    return clustered.layout(clustering.labels(), (int) clustering.centroids().size(0));
  }

  private ClusterLayout blocks() {
    ClusterLayout blocks = ClusterLayout.contiguous(clustered.count(), BLOCK_TOKENS);
    return clustered.layout(blocks.labels(), blocks.clusters());
  }

  private KeySelection select(
      ScoredHead head, ClusterLayout queries, ClusterLayout keys, QueryGroups groups) {
    SelectionRule rule = settings.rule().forTokens(keys.tokens());
    boolean[] always = new boolean[keys.clusters()];
    int groupsOfVideo = groups.count();
    if (clustered.protectText()) {
      always[keys.clusters() - 1] = true;
      int text = queries.start(queries.clusters() - 1);
      while (groupsOfVideo > 0 && groups.start(groupsOfVideo - 1) >= text) {
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
