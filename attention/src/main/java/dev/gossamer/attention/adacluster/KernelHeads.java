package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.cuda.ClusterKernels;
import dev.gossamer.attention.cuda.HeadView;
import dev.gossamer.attention.cuda.SelectionBits;
import dev.gossamer.attention.cuda.StageTimes;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.Scratch;
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
  private static final int RECALL = 4; // among the facts

  private final ClusterKernels kernels;
  private final HeadsExecution otherwise;
  private long scratchBytes; // of the latest call

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
      Device device = call.query().device();
      Scratch scratch = new Scratch(device, scratchBytes);
      HeadView query = HeadView.of(call.query());
      StageTimes.begin("cluster");
      Clustered clustered = clustered(call, state, scratch, query);
      ClusterKernels.Groups groups = clustered.groups();
      ClusterKernels.Keys keys = clustered.keys();
      StageTimes.begin("select");
      ClusterKernels.Selection selection = select(call, scratch, query, groups, keys);
      StageTimes.begin("attend");
      ClusterKernels.Items items =
          kernels.items(scratch, groups, selection, keys, call.tailCounts(), device);
      Tensor output =
          Tensor.empty(
                  call.query().dtype(),
                  device,
                  call.query().size(0),
                  call.tokens(),
                  call.query().size(1),
                  call.headDim())
              .transpose(1, 2);
      kernels.attend(
          query, groups, keys, selection, items, call.tailCounts(), output, Optional.empty());
      StageTimes.begin("");
      if (call.keepLabels()) {
        state.labels(labels(call, groups.queries()), labels(call, keys.sorted()));
      }
      if (call.recallRows() > 0) {
        items.facts().narrow(0, RECALL, 1).copyFrom(recall(call, groups, keys, selection));
      }
      scratchBytes = scratch.usedBytes();
      return new Result(scope.keep(output), scope.keep(items.facts()));
    }
  }

  /** Both sides sorted by their clusters, whose centroids have moved on. */
  private record Clustered(ClusterKernels.Groups groups, ClusterKernels.Keys keys) {}

  private Clustered clustered(Call call, HeadsState state, Scratch scratch, HeadView query) {
    AdaClusterSettings settings = call.settings();
    HeadView key = HeadView.of(call.key());
    HeadView value = HeadView.of(call.value());
    boolean again = call.recluster() || state.queryLabels().isEmpty();
    int queryIterations = seeded(call, state.queryCentroids());
    int keyIterations = seeded(call, state.keyCentroids());
    boolean euclidean = settings.queryPartition() == AdaClusterSettings.Partition.EUCLIDEAN;
    if (state.queryCentroids().isEmpty()) {
      int clusters = settings.queryClustersFor(call.clustered());
      state.queryCentroids(seeds(call, query, euclidean, clusters));
    }
    if (state.keyCentroids().isEmpty()) {
      int clusters = settings.keyClustersFor(call.clustered());
      state.keyCentroids(seeds(call, key, true, clusters));
    }
    Tensor keyCentroids = state.keyCentroids().orElseThrow();
    ClusterKernels.Side queries =
        new ClusterKernels.Side(
            query, Scratch.of(state.queryCentroids().orElseThrow()), Optional.empty(), euclidean);
    ClusterKernels.Side keys =
        new ClusterKernels.Side(
            key, Scratch.of(again ? keyCentroids : keyCentroids.copy()), state.keyCounts(), true);
    boolean extremes = settings.scorer() instanceof TensorQuest;
    if (!again) {
      ClusterKernels.Operand operand = kernels.operands(scratch, List.of(keys)).get(0);
      ClusterKernels.Ordered ordered =
          sorted(
              call,
              scratch,
              labelled(call, queries, asPart(state.queryLabels())),
              labelled(call, keys, asPart(state.keyLabels())));
      return finished(call, scratch, Optional.empty(), ordered, keys, value, operand, extremes);
    }
    for (int i = 1; i < queryIterations; i++) {
      iterate(call, scratch, queries);
    }
    for (int i = 1; i < keyIterations; i++) {
      iterate(call, scratch, keys);
    }
    List<ClusterKernels.Operand> operands = kernels.operands(scratch, List.of(queries, keys));
    ClusterKernels.Ordered ordered =
        sorted(
            call,
            scratch,
            labelled(call, queries, assign(call, scratch, query, operands.get(0))),
            labelled(call, keys, assign(call, scratch, key, operands.get(1))));
    return finished(
        call, scratch, Optional.of(queries), ordered, keys, value, operands.get(1), extremes);
  }

  private Clustered finished(
      Call call,
      Scratch scratch,
      Optional<ClusterKernels.Side> queries,
      ClusterKernels.Ordered ordered,
      ClusterKernels.Side keys,
      HeadView value,
      ClusterKernels.Operand operand,
      boolean extremes) {
    return new Clustered(
        ordered.groups(),
        kernels.update(
            scratch,
            queries,
            ordered.groups().queries(),
            keys,
            value,
            ordered.keys(),
            operand.center(),
            extremes,
            call.query().device()));
  }

  /** Iterations from these centroids, or from seeds. */
  private static int seeded(Call call, Optional<Tensor> centroids) {
    return centroids.isPresent()
        ? call.settings().iterationsStep()
        : call.settings().iterationsFirst();
  }

  private Tensor seeds(Call call, HeadView tokens, boolean euclidean, int clusters) {
    return kernels.seeds(
        call.query().device(),
        tokens.from(call.firstClustered(), call.clustered()),
        call.seeds(),
        euclidean,
        clusters);
  }

  private static Scratch.Part asPart(Optional<Tensor> labels) {
    return Scratch.of(labels.orElseThrow().to(DType.INT16));
  }

  private static ClusterKernels.Labelled labelled(
      Call call, ClusterKernels.Side side, Scratch.Part labels) {
    return new ClusterKernels.Labelled(
        labels, (int) side.centroids().size(1) + (call.protectsText() ? 1 : 0));
  }

  private ClusterKernels.Ordered sorted(
      Call call, Scratch scratch, ClusterKernels.Labelled queries, ClusterKernels.Labelled keys) {
    AdaClusterSettings settings = call.settings();
    int most =
        settings.grouping() == AdaClusterSettings.Grouping.CLUSTER
            ? WHOLE_CLUSTERS
            : settings.tileQueries() > 0 ? settings.tileQueries() : ClusterKernels.TILE;
    return kernels.sort(scratch, call.firstClustered(), end(call), queries, keys, most);
  }

  private static int end(Call call) {
    return call.firstClustered() + call.clustered();
  }

  private void iterate(Call call, Scratch scratch, ClusterKernels.Side side) {
    ClusterKernels.Operand operand = kernels.operands(scratch, List.of(side)).get(0);
    Scratch.Part labels = assign(call, scratch, side.tokens(), operand);
    kernels.update(
        scratch,
        side,
        kernels.sort(scratch, call.firstClustered(), end(call), labelled(call, side, labels)));
  }

  private Scratch.Part assign(
      Call call, Scratch scratch, HeadView tokens, ClusterKernels.Operand operand) {
    return kernels.assign(scratch, tokens, call.firstClustered(), call.clustered(), operand);
  }

  private ClusterKernels.Selection select(
      Call call,
      Scratch scratch,
      HeadView query,
      ClusterKernels.Groups groups,
      ClusterKernels.Keys keys) {
    boolean text = call.protectsText();
    ClusterKernels.Rule rule = rule(call);
    ClusterScorer scorer = call.settings().scorer();
    if (scorer instanceof ExpectedError error) {
      return kernels.byQueries(
          scratch, query, groups, keys, text, passes(call, keys, error.mass()), true, rule);
    }
    if (scorer instanceof QueryMass mass) {
      return kernels.byQueries(
          scratch, query, groups, keys, text, passes(call, keys, mass), false, rule);
    }
    int kind = scorer instanceof TensorQuest ? 0 : scorer instanceof CentroidMass ? 1 : 2;
    return kernels.byVectors(scratch, query, groups, keys, text, kind, rule);
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
    Tensor labels = sorted.labels().tensor().to(DType.INT64);
    int before = call.firstClustered();
    int after = call.tokens() - before - call.clustered();
    labels.narrow(1, 0, before).fill(sorted.clusters() - 1.0);
    labels.narrow(1, call.tokens() - after, after).fill(sorted.clusters() - 1.0);
    return labels;
  }

  private static Tensor recall(
      Call call,
      ClusterKernels.Groups groups,
      ClusterKernels.Keys keys,
      ClusterKernels.Selection selection) {
    return SelectionBits.recall(
            call.query(),
            call.key(),
            groups,
            selection,
            labels(call, keys.sorted()),
            keys.sorted().clusters(),
            call.recallRows())
        .reshape(1);
  }
}
