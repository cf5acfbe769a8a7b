package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.cuda.HeadGroups;
import dev.gossamer.attention.cuda.HeadKMeans;
import dev.gossamer.attention.cuda.HeadLayouts;
import dev.gossamer.attention.cuda.HeadSelection;
import dev.gossamer.attention.cuda.HeadStatistics;
import dev.gossamer.attention.cuda.StageTimes;
import dev.gossamer.attention.cuda.TiledAttention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * All heads by operations of libtorch: right on every card, as fast as these allow. Heads are taken
 * a few at a time, as many as the shares of every query in every cluster leave room for.
 */
final class PortableHeads implements HeadsExecution {
  private static final int BLOCK_TOKENS = 64;
  private static final int TILE_QUERIES = 128;

  /** Numbers of the shares of queries in clusters, of the heads that are computed together. */
  private static final long SHARES_AT_ONCE = 1L << 28;

  @Override
  public Result attend(Call call, HeadsState state) {
    int heads = call.heads();
    long tokens = call.tokens();
    Tensor output =
        Tensor.empty(
            call.query().dtype(), call.query().device(), heads * tokens + 1, call.headDim());
    List<Part> parts = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      long clusters = state.keyCentroids().map(c -> c.size(1)).orElse(1024L);
      int atOnce = (int) Math.max(1, Math.min(heads, SHARES_AT_ONCE / (tokens * clusters)));
      for (int from = 0; from < heads; from += atOnce) {
        int count = Math.min(atOnce, heads - from);
        try (Scope some = Scope.open()) {
          parts.add(new Heads(call, state, from, count).attend(output).keptBy(some));
        }
      }
      keep(call, state, parts);
      Tensor facts = Tensor.stack(0, parts.stream().map(Part::facts).toList()).sum(false, 0);
      return new Result(inPlace(call, output, scope), scope.keep(facts.div(heads)));
    }
  }

  /** Rows are tokens, then heads, so that joining the heads afterwards costs nothing. */
  private static Tensor inPlace(Call call, Tensor output, Scope scope) {
    long batch = call.query().size(0);
    long heads = call.query().size(1);
    return scope.keep(
        output
            .narrow(0, 0, output.size(0) - 1)
            .reshape(batch, call.tokens(), heads, call.headDim())
            .transpose(1, 2));
  }

  private static void keep(Call call, HeadsState state, List<Part> parts) {
    if (call.recluster()) {
      joined(parts.stream().map(Part::queryCentroids).toList()).ifPresent(state::queryCentroids);
      joined(parts.stream().map(Part::keyCentroids).toList()).ifPresent(state::keyCentroids);
    }
    if (call.keepLabels()) {
      state.labels(
          Tensor.cat(0, parts.stream().map(part -> part.queries().labels()).toList()),
          Tensor.cat(0, parts.stream().map(part -> part.keys().labels()).toList()));
    }
  }

  private static Optional<Tensor> joined(List<Optional<Tensor>> centroids) {
    return centroids.get(0).isEmpty()
        ? Optional.empty()
        : Optional.of(Tensor.cat(0, centroids.stream().map(Optional::orElseThrow).toList()));
  }

  /** What some heads came to; facts are sums over them. */
  private record Part(
      Tensor facts,
      HeadLayouts queries,
      HeadLayouts keys,
      Optional<Tensor> queryCentroids,
      Optional<Tensor> keyCentroids) {
    Part keptBy(Scope scope) {
      scope.keep(facts);
      scope.keep(queries.labels());
      scope.keep(keys.labels());
      queryCentroids.ifPresent(scope::keep);
      keyCentroids.ifPresent(scope::keep);
      return this;
    }
  }

  /** A few heads on their way from tokens to output. */
  private static final class Heads {
    private final Call call;
    private final AdaClusterSettings settings;
    private final HeadsState state;
    private final int first;
    private final int count;
    private final long tokens;
    private final DType products;
    private Optional<Tensor> queryCentroids = Optional.empty();
    private Optional<Tensor> keyCentroids = Optional.empty();

    Heads(Call call, HeadsState state, int first, int count) {
      this.call = call;
      this.settings = call.settings();
      this.state = state;
      this.first = first;
      this.count = count;
      this.tokens = call.tokens();
      this.products =
          settings.products() == AdaClusterSettings.Products.FLOAT32
              ? DType.FLOAT32
              : settings.products() == AdaClusterSettings.Products.BFLOAT16
                  ? DType.BFLOAT16
                  : call.query().dtype();
    }

    Part attend(Tensor output) {
      Tensor query = mine(call.query());
      Tensor key = mine(call.key()).to(DType.FLOAT32);
      Tensor keyMean = video(key).mean(true, 1);
      StageTimes.begin("cluster");
      HeadLayouts queries = queryLayouts(query);
      HeadLayouts keys = keyLayouts(key);
      Tensor sortedQueries =
          queries.sort(query).to(DType.FLOAT32).mul(1 / Math.sqrt(call.headDim())).to(products);
      Tensor sortedKeys = keys.sort(key.sub(keyMean).to(products));
      Tensor sortedValues = keys.sort(mine(call.value()).to(products));
      HeadStatistics statistics = HeadStatistics.of(sortedKeys, sortedValues, keys);
      StageTimes.begin("select");
      HeadGroups groups = HeadGroups.clusters(queries);
      if (settings.grouping() == AdaClusterSettings.Grouping.TILE) {
        groups = groups.cuts(settings.tileQueriesFor((int) tokens));
      }
      HeadScores scores = new HeadScores(sortedQueries, sortedKeys, keys, groups, statistics);
      Tensor selection = select(scores, queries, keys, groups, statistics);
      TiledAttention attention =
          new TiledAttention(
              sortedQueries,
              sortedKeys,
              sortedValues,
              keys,
              groups,
              selection,
              call.tailCounts() ? Optional.of(statistics) : Optional.empty());
      StageTimes.begin("attend");
      attention.attend(
          settings.grouping() == AdaClusterSettings.Grouping.TILE
              ? settings.tileQueriesFor((int) tokens)
              : TILE_QUERIES,
          output,
          places(queries));
      StageTimes.begin("");
      return new Part(
          facts(queries, keys, groups, selection, attention, sortedQueries, sortedKeys),
          queries,
          keys,
          queryCentroids,
          keyCentroids);
    }

    /** These heads of {@code [batch, heads, tokens, headDim]} as {@code [count, ..]}. */
    private Tensor mine(Tensor tensor) {
      return tensor
          .reshape(call.heads(), tokens, call.headDim())
          .narrow(0, first, count)
          .contiguous();
    }

    private Tensor video(Tensor rows) {
      return rows.narrow(1, call.firstClustered(), call.clustered());
    }

    /** Row of the output for each sorted query: batches, tokens, heads. */
    private Tensor places(HeadLayouts queries) {
      Device device = call.query().device();
      long inBatch = call.query().size(1);
      long[] offsets = new long[count];
      for (int h = 0; h < count; h++) {
        long head = first + h;
        offsets[h] = head / inBatch * tokens * inBatch + head % inBatch;
      }
      return queries
          .order()
          .mul(Tensor.full(inBatch, DType.INT64, device, 1))
          .add(Tensor.of(offsets, count, 1).to(device));
    }

    private HeadLayouts queryLayouts(Tensor query) {
      if (!call.recluster() && state.queryLabels().isPresent()) {
        Tensor labels = state.queryLabels().get().narrow(0, first, count);
        return HeadLayouts.of(
            labels, clustersOf(settings.queryPartition(), state.queryCentroids()));
      }
      if (settings.queryPartition() == AdaClusterSettings.Partition.BLOCKS) {
        return blocks();
      }
      HeadKMeans kmeans = new HeadKMeans(video(query), settings.queryPartition().metric());
      Tensor from =
          state
              .queryCentroids()
              .map(before -> before.narrow(0, first, count))
              .orElseGet(() -> kmeans.seeds(settings.queryClustersFor(call.clustered()), seeds()));
      HeadKMeans.Clustering clustering =
          kmeans.lloyd(from, Optional.empty(), iterations(state.queryCentroids()));
      queryCentroids = Optional.of(clustering.centroids());
      return withText(clustering.labels(), clustering.centroids().size(1));
    }

    private HeadLayouts keyLayouts(Tensor key) {
      if (!call.recluster() && state.keyLabels().isPresent()) {
        Tensor labels = state.keyLabels().get().narrow(0, first, count);
        return HeadLayouts.of(labels, clustersOf(settings.keyPartition(), state.keyCentroids()));
      }
      if (settings.keyPartition() == AdaClusterSettings.Partition.BLOCKS) {
        return blocks();
      }
      Tensor mean = video(key).mean(true, 1);
      HeadKMeans kmeans = new HeadKMeans(video(key).sub(mean), settings.keyPartition().metric());
      // Centroids are kept in the keys' own coordinates: their mean moves from step to step.
      Tensor from =
          state
              .keyCentroids()
              .map(before -> before.narrow(0, first, count).sub(mean))
              .orElseGet(() -> kmeans.seeds(settings.keyClustersFor(call.clustered()), seeds()));
      Optional<Tensor> real =
          state.keyCounts().map(counts -> KeyStages.real(counts.narrow(0, first, count), from));
      HeadKMeans.Clustering clustering = kmeans.lloyd(from, real, iterations(state.keyCentroids()));
      keyCentroids = Optional.of(clustering.centroids().add(mean));
      return withText(clustering.labels(), clustering.centroids().size(1));
    }

    private long[] seeds() {
      return Arrays.copyOfRange(call.seeds(), first, first + count);
    }

    private int iterations(Optional<Tensor> before) {
      return before.isPresent() ? settings.iterationsStep() : settings.iterationsFirst();
    }

    private long clustersOf(AdaClusterSettings.Partition partition, Optional<Tensor> centroids) {
      long clusters =
          partition == AdaClusterSettings.Partition.BLOCKS
              ? (call.clustered() + BLOCK_TOKENS - 1) / BLOCK_TOKENS
              : centroids.orElseThrow().size(1);
      return clusters + (call.protectsText() ? 1 : 0);
    }

    private HeadLayouts blocks() {
      int[] labels = new int[call.clustered()];
      for (int token = 0; token < labels.length; token++) {
        labels[token] = token / BLOCK_TOKENS;
      }
      Tensor same =
          Tensor.of(labels, 1, labels.length)
              .to(DType.INT64)
              .to(call.query().device())
              .expand(count, labels.length);
      return withText(same, (labels.length + BLOCK_TOKENS - 1) / BLOCK_TOKENS);
    }

    /** Protected text becomes one more cluster, the last. */
    private HeadLayouts withText(Tensor videoLabels, long clusters) {
      if (!call.protectsText()) {
        return HeadLayouts.of(videoLabels.contiguous(), clusters);
      }
      Device device = call.query().device();
      int before = call.grid().textBefore();
      int after = call.grid().textAfter();
      Tensor labels =
          Tensor.cat(
              1,
              Tensor.full(clusters, DType.INT64, device, count, before),
              videoLabels,
              Tensor.full(clusters, DType.INT64, device, count, after));
      return HeadLayouts.of(labels, clusters + 1);
    }

    private Tensor select(
        HeadScores scores,
        HeadLayouts queries,
        HeadLayouts keys,
        HeadGroups groups,
        HeadStatistics statistics) {
      Device device = call.query().device();
      Tensor always = Tensor.zeros(DType.BOOL, device, keys.clusters());
      Tensor everything = Tensor.zeros(DType.BOOL, device, count, groups.count());
      if (call.protectsText()) {
        always.narrow(0, keys.clusters() - 1, 1).fill(1);
        everything = groups.owners().eq((double) queries.clusters() - 1);
      }
      SelectionRule rule = settings.rule().forTokens((int) tokens);
      double target = call.tailCounts() ? settings.errorTarget() : 0;
      Tensor score = scores.of(settings.scorer());
      Optional<Tensor> masses =
          !(rule instanceof SelectionRule.Mass)
              ? Optional.empty()
              : Optional.of(settings.scorer() instanceof CentroidMass ? score : scores.mass());
      Optional<Tensor> errors =
          target == 0
              ? Optional.empty()
              : Optional.of(
                  settings.scorer() instanceof ExpectedError ? score : scores.expectedError());
      return new HeadSelection(score, statistics.sizes(), always, everything)
          .select(limit(rule, masses, target, errors));
    }

    private HeadSelection.Limit limit(
        SelectionRule rule, Optional<Tensor> masses, double target, Optional<Tensor> errors) {
      Optional<Double> keys = Optional.empty();
      Optional<Integer> clusters = Optional.empty();
      Optional<Double> share = Optional.empty();
      Optional<Double> mass = Optional.empty();
      if (rule instanceof SelectionRule.Budget budget) {
        keys = Optional.of((double) Math.max(1, Math.round(budget.share() * tokens)));
      } else if (rule instanceof SelectionRule.TopClusters top) {
        clusters = Optional.of(top.count());
      } else if (rule instanceof SelectionRule.TopShare top) {
        share = Optional.of(top.share());
      } else if (rule instanceof SelectionRule.Mass wanted) {
        mass = Optional.of(wanted.target());
        share = Optional.of(wanted.leastShare());
      }
      return new HeadSelection.Limit(
          keys,
          clusters,
          share,
          mass,
          masses,
          target == 0 ? Optional.empty() : Optional.of(target),
          errors);
    }

    private Tensor facts(
        HeadLayouts queries,
        HeadLayouts keys,
        HeadGroups groups,
        Tensor selection,
        TiledAttention attention,
        Tensor sortedQueries,
        Tensor sortedKeys) {
      Tensor pairs = groups.sizes().mul(attention.keyCounts()).to(DType.FLOAT64).sum(false, 0, 1);
      Tensor density = pairs.div((double) tokens * tokens).to(DType.FLOAT32);
      Tensor keyClusters = keys.nonEmpty().sum(false, 0);
      Tensor pseudo = call.tailCounts() ? keyClusters.div((double) tokens) : keyClusters.mul(0);
      Tensor recall =
          call.recallRows() > 0
              ? recall(keys, groups, selection, sortedQueries, sortedKeys)
              : keyClusters.mul(Double.NaN);
      return Tensor.stack(
          0, List.of(density, pseudo, queries.nonEmpty().sum(false, 0), keyClusters, recall));
    }

    /** Share of exact attention inside the selection, of evenly spaced queries; sum over heads. */
    private Tensor recall(
        HeadLayouts keys,
        HeadGroups groups,
        Tensor selection,
        Tensor sortedQueries,
        Tensor sortedKeys) {
      Device device = call.query().device();
      int rows = (int) Math.min(call.recallRows(), tokens);
      long[] positions = new long[rows];
      for (int row = 0; row < rows; row++) {
        positions[row] = (long) ((row + 0.5) * tokens / rows);
      }
      Tensor at = Tensor.of(positions, 1, rows).to(device).expand(count, rows).contiguous();
      Tensor mass =
          sortedQueries
              .indexSelect(1, at.select(0, 0))
              .matmul(sortedKeys.transpose(1, 2))
              .to(DType.FLOAT32)
              .softmax(2);
      Tensor group =
          groups
              .offsets()
              .narrow(1, 1, groups.count())
              .contiguous()
              .countBelow(at, true)
              .clamp(0, groups.count() - 1)
              .to(DType.INT64);
      Tensor chosen = selection.gather(1, group.unsqueeze(2).expand(count, rows, keys.clusters()));
      Tensor seen = chosen.gather(2, keys.sorted().unsqueeze(1).expand(count, rows, tokens));
      return mass.mul(seen.to(DType.FLOAT32)).sum(false, 2).mean(false, 1).sum(false, 0);
    }
  }
}
