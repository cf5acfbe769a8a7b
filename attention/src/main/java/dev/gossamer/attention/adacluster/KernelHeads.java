package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.cuda.ClusterKernels;
import dev.gossamer.attention.cuda.SelectionBits;
import dev.gossamer.attention.cuda.StageTimes;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * All heads by kernels of ours: nothing is read back, nobody waits. What they do not know is left
 * to another execution.
 */
final class KernelHeads implements HeadsExecution {
  private static final int ASKED_AT_ONCE = 16;
  private static final int WHOLE_CLUSTERS = 1 << 30;
  private static final int MOST_CLUSTERS = 4095;
  private static final long MOST_KEPT = 1L << 24;

  private final ClusterKernels kernels;
  private final HeadsExecution otherwise;

  KernelHeads(ClusterKernels kernels, HeadsExecution otherwise) {
    this.kernels = kernels;
    this.otherwise = otherwise;
  }

  /** Whether settings ask for nothing that only operations of libtorch do. */
  static boolean knows(AdaClusterSettings settings, int tokens) {
    boolean asksQueries =
        settings.scorer() instanceof ExpectedError || settings.scorer() instanceof QueryMass;
    return settings.queryPartition() != AdaClusterSettings.Partition.BLOCKS
        && settings.keyPartition() == AdaClusterSettings.Partition.EUCLIDEAN
        && settings.keyClustersFor(tokens) <= MOST_CLUSTERS
        && settings.maxKeyClustersFor(tokens) <= MOST_CLUSTERS
        && (settings.scorer() instanceof ExpectedError
            || settings.errorTarget() == 0
            || settings.tail() == AdaClusterSettings.Tail.OFF)
        && (asksQueries
            || !(settings.rule().forTokens(tokens) instanceof SelectionRule.Mass)
            || settings.scorer() instanceof CentroidMass)
        && settings.products() != AdaClusterSettings.Products.FLOAT32;
  }

  @Override
  public Result attend(Call call, HeadsState state) {
    if (!knows(call.settings(), call.tokens())) {
      return otherwise.attend(call, state);
    }
    try (Scope scope = Scope.open()) {
      AdaClusterSettings settings = call.settings();
      boolean text = call.protectsText();
      StageTimes.begin("cluster queries");
      ClusterKernels.Sorted queries = queries(call, state);
      StageTimes.begin("cluster keys");
      ClusterKernels.Keys keys = keys(call, state);
      StageTimes.begin("select");
      ClusterKernels.Groups groups =
          kernels.groups(
              queries,
              settings.grouping() == AdaClusterSettings.Grouping.CLUSTER
                  ? WHOLE_CLUSTERS
                  : settings.tileQueries() > 0 ? settings.tileQueries() : ClusterKernels.TILE);
      ClusterKernels.Selection selection = select(call, groups, keys, text);
      StageTimes.begin("attend");
      ClusterKernels.Items items = kernels.items(groups, selection, keys, call.tailCounts());
      Tensor output =
          Tensor.empty(
                  call.query().dtype(),
                  call.query().device(),
                  call.query().size(0),
                  call.tokens(),
                  call.query().size(1),
                  call.headDim())
              .transpose(1, 2);
      kernels.attend(
          call.query(),
          groups,
          keys,
          selection,
          items,
          call.tailCounts(),
          output,
          Optional.empty());
      StageTimes.begin("");
      if (call.keepLabels()) {
        state.labels(labels(call, queries), labels(call, keys.sorted()));
      }
      return new Result(
          scope.keep(output), scope.keep(facts(call, groups, keys, selection, items)));
    }
  }

  private Tensor noLabels(Call call) {
    return Tensor.empty(DType.INT16, call.query().device(), call.heads(), call.tokens());
  }

  private ClusterKernels.Sorted sorted(Call call, Tensor labels, long centroids) {
    return kernels.sort(
        labels,
        call.firstClustered(),
        call.firstClustered() + call.clustered(),
        (int) centroids + (call.protectsText() ? 1 : 0));
  }

  private ClusterKernels.Sorted queries(Call call, HeadsState state) {
    AdaClusterSettings settings = call.settings();
    if (!call.recluster() && state.queryLabels().isPresent()) {
      return sorted(
          call,
          state.queryLabels().get().to(DType.INT16),
          state.queryCentroids().orElseThrow().size(1));
    }
    boolean euclidean = settings.queryPartition() == AdaClusterSettings.Partition.EUCLIDEAN;
    int iterations = settings.iterationsStep();
    if (state.queryCentroids().isEmpty()) {
      iterations = settings.iterationsFirst();
      state.queryCentroids(
          kernels.seeds(
              video(call, call.query()),
              call.seeds(),
              euclidean,
              settings.queryClustersFor(call.clustered())));
    }
    Tensor centroids = state.queryCentroids().orElseThrow();
    ClusterKernels.Sorted sorted = null;
    for (int i = 0; i < iterations; i++) {
      Tensor labels = noLabels(call);
      assign(call, call.query(), kernels.operand(centroids, Optional.empty(), euclidean), labels);
      sorted = sorted(call, labels, centroids.size(1));
      kernels.update(call.query(), sorted, euclidean, centroids);
    }
    return sorted;
  }

  private ClusterKernels.Keys keys(Call call, HeadsState state) {
    AdaClusterSettings settings = call.settings();
    boolean extremes = settings.scorer() instanceof TensorQuest;
    if (!call.recluster() && state.keyLabels().isPresent()) {
      Tensor centroids = state.keyCentroids().orElseThrow();
      return kernels.keys(
          call.key(),
          call.value(),
          sorted(call, state.keyLabels().get().to(DType.INT16), centroids.size(1)),
          kernels.operand(centroids, state.keyCounts(), true),
          centroids.copy(),
          extremes);
    }
    int iterations = settings.iterationsStep();
    if (state.keyCentroids().isEmpty()) {
      iterations = settings.iterationsFirst();
      state.keyCentroids(
          kernels.seeds(
              video(call, call.key()),
              call.seeds(),
              true,
              settings.keyClustersFor(call.clustered())));
    }
    Tensor centroids = state.keyCentroids().orElseThrow();
    ClusterKernels.Keys keys = null;
    for (int i = 0; i < iterations; i++) {
      Tensor labels = noLabels(call);
      ClusterKernels.Operand operand = kernels.operand(centroids, state.keyCounts(), true);
      assign(call, call.key(), operand, labels);
      ClusterKernels.Sorted sorted = sorted(call, labels, centroids.size(1));
      if (i < iterations - 1) {
        kernels.update(call.key(), sorted, true, centroids);
      } else {
        keys = kernels.keys(call.key(), call.value(), sorted, operand, centroids, extremes);
      }
    }
    return keys;
  }

  private static Tensor video(Call call, Tensor tensor) {
    return tensor.narrow(2, call.firstClustered(), call.clustered());
  }

  private void assign(Call call, Tensor tensor, ClusterKernels.Operand operand, Tensor labels) {
    kernels.assign(tensor, call.firstClustered(), call.clustered(), operand, labels);
  }

  private ClusterKernels.Selection select(
      Call call, ClusterKernels.Groups groups, ClusterKernels.Keys keys, boolean text) {
    ClusterKernels.Rule rule = rule(call);
    ClusterScorer scorer = call.settings().scorer();
    if (scorer instanceof ExpectedError error) {
      return kernels.byQueries(
          call.query(), groups, keys, text, passes(call, keys, error.mass()), true, rule);
    }
    if (scorer instanceof QueryMass mass) {
      return kernels.byQueries(
          call.query(), groups, keys, text, passes(call, keys, mass), false, rule);
    }
    int kind = scorer instanceof TensorQuest ? 0 : scorer instanceof CentroidMass ? 1 : 2;
    return kernels.byVectors(call.query(), groups, keys, text, kind, rule);
  }

  /** As on a processor: where all shares can be kept for the tail, every query speaks. */
  private static int passes(Call call, ClusterKernels.Keys keys, QueryMass mass) {
    boolean all = call.tailCounts() && (long) call.tokens() * keys.sorted().clusters() <= MOST_KEPT;
    int asked = all ? ClusterKernels.TILE : Math.min(mass.samples(), ClusterKernels.TILE);
    return (asked + ASKED_AT_ONCE - 1) / ASKED_AT_ONCE;
  }

  private static ClusterKernels.Rule rule(Call call) {
    SelectionRule rule = call.settings().rule().forTokens(call.tokens());
    double target = call.tailCounts() ? call.settings().errorTarget() : 0;
    if (rule instanceof SelectionRule.Budget budget) {
      return new ClusterKernels.Rule(0, budget.share(), 0, target);
    }
    if (rule instanceof SelectionRule.TopClusters top) {
      return new ClusterKernels.Rule(1, top.count(), 0, target);
    }
    if (rule instanceof SelectionRule.TopShare top) {
      return new ClusterKernels.Rule(2, top.share(), 0, target);
    }
    SelectionRule.Mass mass = (SelectionRule.Mass) rule;
    return new ClusterKernels.Rule(3, mass.target(), mass.leastShare(), target);
  }

  /** INT64, the text's too. */
  private static Tensor labels(Call call, ClusterKernels.Sorted sorted) {
    Tensor labels = sorted.labels().to(DType.INT64);
    int before = call.firstClustered();
    int after = call.tokens() - before - call.clustered();
    labels.narrow(1, 0, before).fill(sorted.clusters() - 1.0);
    labels.narrow(1, call.tokens() - after, after).fill(sorted.clusters() - 1.0);
    return labels;
  }

  private static Tensor facts(
      Call call,
      ClusterKernels.Groups groups,
      ClusterKernels.Keys keys,
      ClusterKernels.Selection selection,
      ClusterKernels.Items items) {
    double everyPair = (double) call.tokens() * call.tokens() * call.heads();
    Tensor density = items.pairs().to(DType.FLOAT64).div(everyPair).to(DType.FLOAT32).squeeze(0);
    Tensor ofKeys = nonEmpty(keys.sorted());
    Tensor pseudo = call.tailCounts() ? ofKeys.div((double) call.tokens()) : ofKeys.mul(0);
    Tensor recall =
        call.recallRows() > 0
            ? SelectionBits.recall(
                call.query(),
                call.key(),
                groups,
                selection,
                labels(call, keys.sorted()),
                keys.sorted().clusters(),
                call.recallRows())
            : ofKeys.mul(Double.NaN);
    return Tensor.stack(0, List.of(density, pseudo, nonEmpty(groups.queries()), ofKeys, recall));
  }

  /** Mean over heads. */
  private static Tensor nonEmpty(ClusterKernels.Sorted sorted) {
    Tensor ends = sorted.offsets().narrow(1, 1, sorted.clusters());
    return ends.sub(sorted.offsets().narrow(1, 0, sorted.clusters()))
        .gt(0)
        .to(DType.FLOAT32)
        .sum(false, 1)
        .mean(false, 0);
  }
}
