package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.cuda.Grid;
import dev.gossamer.tensor.cuda.KernelSource;
import dev.gossamer.tensor.cuda.Kernels;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The kernels for one card, size of a head and type: what {@code kmeans.cu}, {@code select.cu} and
 * {@code attention.cu} hold, and their twins for Hopper. Each method is one step of a call; the
 * comments over the kernels say what each buffer is. Nothing is read back and nobody waits.
 */
public final class ClusterKernels {
  /** Queries of an item of attention. */
  public static final int TILE = 128;

  private static final int LEAST_CAPABILITY = 80;
  private static final int HOPPER = 90;
  private static final int SORT_CHUNK = 2048;

  /** Up to here the plain kernel finds the nearest centroid sooner than Hopper's. */
  private static final int FEW_CLUSTERS = 256;

  /** Shared memory that the selection declares by itself. */
  private static final int DECLARED = 17 << 10;

  private final int headDim;
  private final Card card;
  private final Kernels kmeans;
  private final Kernels select;
  private final Kernels attention;
  private final Optional<Kernels> hopperKmeans;
  private final Optional<Kernels> hopperAttention;

  private ClusterKernels(Card card, int headDim, DType dtype) {
    this.headDim = headDim;
    this.card = card;
    List<String> options =
        List.of("-DHEAD_DIM=" + headDim, "-DELEMENT_FP16=" + (dtype == DType.FLOAT16 ? 1 : 0));
    this.kmeans = load("kmeans.cu", options);
    this.select = load("select.cu", options);
    boolean hopper = card.capability() == HOPPER;
    this.hopperKmeans = hopper ? Optional.of(load("kmeans_sm90.cu", options)) : Optional.empty();
    this.hopperAttention =
        hopper ? Optional.of(load("attention_sm90.cu", options)) : Optional.empty();
    this.attention = hopper ? hopperAttention.get() : load("attention.cu", options);
  }

  private Kernels load(String file, List<String> options) {
    return Kernels.of(card, KernelSource.of(ClusterKernels.class, file), options);
  }

  /**
   * Why no kernel of ours fits; empty if they do.
   *
   * @param dtype of queries, keys and values
   */
  public static Optional<String> lack(Card card, int headDim, DType dtype) {
    if (card.capability() < LEAST_CAPABILITY) {
      return Optional.of(
          card.name() + " has compute capability " + card.capabilityText() + ", below 8.0");
    }
    if (headDim != 64 && headDim != 128) {
      return Optional.of("heads are " + headDim + " wide, not 64 or 128");
    }
    if (dtype != DType.BFLOAT16 && dtype != DType.FLOAT16) {
      return Optional.of("numbers are " + dtype.optionName() + ", not bf16 or fp16");
    }
    return Optional.empty();
  }

  /** Compiles for the card, or takes what was compiled before. */
  public static ClusterKernels of(Card card, int headDim, DType dtype) {
    return new ClusterKernels(card, headDim, dtype);
  }

  static int padded(int count) {
    return (count + 31) / 32 * 32;
  }

  private Device device() {
    return new Device(Device.Kind.CUDA, card.index());
  }

  private Tensor space(DType dtype, long... shape) {
    return Tensor.empty(dtype, device(), shape);
  }

  /** Address, strides and so on of a view, and what follows them. */
  private static Object[] all(Object[]... parts) {
    List<Object> arguments = new ArrayList<>();
    for (Object[] part : parts) {
      arguments.addAll(List.of(part));
    }
    return arguments.toArray();
  }

  private static Object[] these(Object... arguments) {
    return arguments;
  }

  // Clusters

  /** Starting centroids, float32 {@code [heads, clusters, headDim]}. */
  public Tensor seeds(Tensor tokens, long[] shifts, boolean euclidean, int clusters) {
    HeadView view = HeadView.of(tokens);
    double[] starts = new double[shifts.length];
    for (int h = 0; h < starts.length; h++) {
      starts[h] = (shifts[h] & 0xffffff) / (double) 0x1000000;
    }
    Tensor centroids = space(DType.FLOAT32, shifts.length, clusters, headDim);
    kmeans.launch(
        "seed_centroids",
        Grid.of(clusters, shifts.length, headDim),
        all(
            view.arguments(),
            these(
                view.perBatch(),
                view.tokens(),
                Tensor.of(starts, starts.length).to(device()),
                euclidean ? 1 : 0,
                clusters,
                centroids)));
    return centroids;
  }

  /** Centroids as the right operand of a product. */
  public record Operand(Tensor blocks, Tensor bias, Tensor center, int clusters, int padded) {}

  /**
   * @param centroids float32 {@code [heads, clusters, headDim]}
   * @param counts INT32 {@code [heads]}, or empty for all
   */
  public Operand operand(Tensor centroids, Optional<Tensor> counts, boolean euclidean) {
    int heads = (int) centroids.size(0);
    int clusters = (int) centroids.size(1);
    int padded = padded(clusters);
    Operand operand =
        new Operand(
            space(DType.INT16, heads, padded, headDim),
            space(DType.FLOAT32, heads, padded),
            space(DType.FLOAT32, heads, headDim),
            clusters,
            padded);
    kmeans.launch(
        "prepare_centroids",
        Grid.of(heads, 1024),
        centroids,
        counts.isPresent() ? counts.get() : (Object) 0L,
        clusters,
        padded,
        euclidean ? 1 : 0,
        operand.blocks(),
        operand.bias(),
        operand.center());
    return operand;
  }

  /**
   * Nearest centroid of each token from {@code first} on.
   *
   * @param labels INT16 {@code [heads, all tokens]}, written for these tokens
   */
  public void assign(Tensor tokens, int first, int count, Operand operand, Tensor labels) {
    HeadView view = HeadView.of(tokens).from(first, count);
    Object[] arguments =
        all(
            view.arguments(),
            these(
                view.perBatch(),
                count,
                operand.blocks(),
                operand.bias(),
                operand.clusters(),
                operand.padded(),
                labels.firstAddress() + 2L * first,
                labels.size(1),
                0L,
                0L));
    int heads = (int) labels.size(0);
    int blocks = (count + TILE - 1) / TILE;
    if (hopperKmeans.isPresent() && operand.clusters() > FEW_CLUSTERS) {
      hopperKmeans
          .get()
          .launch(
              "nearest_centroid_sm90",
              Grid.of(blocks, heads, 288).withShared(headDim == 128 ? 100_416 : 51_264),
              arguments);
    } else {
      kmeans.launch(
          "nearest_centroid", Grid.of(blocks, heads, 256).withShared(256 * 2 * headDim), arguments);
    }
  }

  /**
   * Tokens sorted by cluster.
   *
   * @param labels INT16 {@code [heads, tokens]}
   * @param order INT32 {@code [heads, tokens]}
   * @param offsets INT32 {@code [heads, clusters + 1]}
   * @param blockStarts INT32 {@code [heads, padded + 1]}
   */
  public record Sorted(
      Tensor labels, Tensor order, Tensor offsets, Tensor blockStarts, int clusters) {}

  /** Tokens outside of the video from {@code first} to {@code end} are the last cluster. */
  public Sorted sort(Tensor labels, int first, int end, int clusters) {
    int heads = (int) labels.size(0);
    int tokens = (int) labels.size(1);
    int padded = padded(clusters);
    int chunks = (tokens + SORT_CHUNK - 1) / SORT_CHUNK;
    Tensor counts = space(DType.INT32, heads, chunks, clusters);
    Sorted sorted =
        new Sorted(
            labels,
            space(DType.INT32, heads, tokens),
            space(DType.INT32, heads, clusters + 1L),
            space(DType.INT32, heads, padded + 1L),
            clusters);
    kmeans.launch(
        "sort_count",
        Grid.of(chunks, heads, 256).withShared(4 * clusters),
        labels,
        (long) tokens,
        tokens,
        first,
        end,
        clusters,
        counts);
    kmeans.launch(
        "sort_offsets",
        Grid.of(heads, 1024),
        counts,
        chunks,
        clusters,
        padded,
        sorted.offsets(),
        sorted.blockStarts());
    kmeans.launch(
        "sort_scatter",
        Grid.of(chunks, heads, 256).withShared(16 * clusters),
        labels,
        (long) tokens,
        tokens,
        first,
        end,
        clusters,
        counts,
        sorted.order());
    return sorted;
  }

  /** Moves centroids to their tokens, in place; empty ones to tokens far from theirs. */
  public void update(Tensor tokens, Sorted sorted, boolean euclidean, Tensor centroids) {
    HeadView view = HeadView.of(tokens);
    int heads = (int) centroids.size(0);
    int clusters = (int) centroids.size(1);
    Far far = far(heads, clusters);
    kmeans.launch(
        "update_centroids",
        Grid.of(clusters, heads, 256),
        all(
            view.arguments(),
            these(
                view.perBatch(),
                view.tokens(),
                sorted.order(),
                sorted.offsets(),
                sorted.clusters(),
                euclidean ? 1 : 0,
                clusters,
                centroids,
                far.distances(),
                far.tokens())));
    reseed(view, sorted, euclidean, centroids, far);
  }

  private record Far(Tensor distances, Tensor tokens) {}

  private Far far(int heads, int clusters) {
    return new Far(space(DType.FLOAT32, heads, clusters), space(DType.INT32, heads, clusters));
  }

  private void reseed(HeadView view, Sorted sorted, boolean euclidean, Tensor centroids, Far far) {
    kmeans.launch(
        "reseed",
        Grid.of((int) centroids.size(0), 256),
        all(
            view.arguments(),
            these(
                view.perBatch(),
                view.tokens(),
                sorted.offsets(),
                sorted.clusters(),
                euclidean ? 1 : 0,
                (int) centroids.size(1),
                centroids,
                far.distances(),
                far.tokens())));
  }

  /** Keys and values in the order of their clusters, and what is to be known of each cluster. */
  public record Keys(
      Sorted sorted,
      long blocks,
      Tensor keyBlocks,
      Tensor valueBlocks,
      Tensor tailKeys,
      Tensor tailValues,
      Tensor logSizes,
      Tensor variances,
      Optional<Tensor> extremes,
      Tensor center) {}

  /** The last update of keys, in place, with all that later steps read of keys and values. */
  public Keys keys(
      Tensor key,
      Tensor value,
      Sorted sorted,
      Operand operand,
      Tensor centroids,
      boolean extremes) {
    HeadView keys = HeadView.of(key);
    HeadView values = HeadView.of(value);
    int heads = (int) centroids.size(0);
    int clusters = (int) centroids.size(1);
    int padded = padded(sorted.clusters());
    long blocks = (keys.tokens() + 7) / 8 + sorted.clusters();
    Keys result =
        new Keys(
            sorted,
            blocks,
            space(DType.INT16, heads, blocks, 8L * headDim),
            space(DType.INT16, heads, blocks, 8L * headDim),
            space(DType.INT16, heads, padded + 8L, headDim),
            space(DType.INT16, heads, padded + 8L, headDim),
            space(DType.FLOAT32, heads, padded),
            space(DType.INT16, heads, padded, headDim),
            extremes
                ? Optional.of(space(DType.INT16, heads, 2, padded, headDim))
                : Optional.empty(),
            operand.center());
    Far far = far(heads, clusters);
    kmeans.launch(
        "update_keys",
        Grid.of(padded, heads, 256),
        all(
            keys.arguments(),
            values.arguments(),
            these(
                keys.perBatch(),
                keys.tokens(),
                sorted.order(),
                sorted.offsets(),
                sorted.blockStarts(),
                operand.center(),
                clusters,
                sorted.clusters(),
                padded,
                centroids,
                blocks,
                result.keyBlocks(),
                result.valueBlocks(),
                result.tailKeys(),
                result.tailValues(),
                result.logSizes(),
                result.variances(),
                result.extremes().isPresent() ? result.extremes().get() : (Object) 0L,
                far.distances(),
                far.tokens())));
    reseed(keys, sorted, true, centroids, far);
    return result;
  }

  // Selection

  /** Runs of sorted queries that share a selection; see {@code make_groups}. */
  public record Groups(Tensor starts, Tensor counts, int groups, Sorted queries) {}

  /**
   * @param most queries of a group
   */
  public Groups groups(Sorted queries, int most) {
    int heads = (int) queries.order().size(0);
    int tokens = (int) queries.order().size(1);
    int bound = (int) ((tokens + (long) most - 1) / most) + queries.clusters();
    Groups groups =
        new Groups(
            space(DType.INT32, heads, bound + 1L), space(DType.INT32, heads), bound, queries);
    select.launch(
        "make_groups",
        Grid.of(heads, 1024),
        queries.offsets(),
        queries.clusters(),
        most,
        bound,
        groups.starts(),
        groups.counts());
    return groups;
  }

  /**
   * How far down the ranking a group goes: the numbers that {@code struct Rule} explains.
   *
   * @param kind 0 share of keys, 1 clusters, 2 share of clusters, 3 mass
   */
  public record Rule(int kind, double limit, double least, double errorTarget) {}

  /** What was selected; see {@code score_queries}. */
  public record Selection(Tensor bits, Tensor blocks, Tensor keys) {}

  private Selection selection(Groups groups, Keys keys) {
    int heads = (int) groups.starts().size(0);
    return new Selection(
        space(DType.INT32, heads, groups.groups(), padded(keys.sorted().clusters()) / 32),
        space(DType.INT32, heads, groups.groups()),
        space(DType.INT32, heads, groups.groups()));
  }

  /**
   * By query mass or expected error.
   *
   * @param text whether the last cluster of both sides is protected text
   * @param passes 16 queries of a group each
   */
  public Selection byQueries(
      Tensor query, Groups groups, Keys keys, boolean text, int passes, boolean error, Rule rule) {
    HeadView view = HeadView.of(query);
    Selection selection = selection(groups, keys);
    int clusters = keys.sorted().clusters();
    int padded = padded(clusters);
    int heads = (int) groups.starts().size(0);
    int scores = Math.max(32 * headDim, 4 * padded) + 8 * padded;
    int shared = 32 * headDim + 4 * padded;
    boolean four = 4 * scores + shared + DECLARED <= card.sharedBytes();
    select.launch(
        four ? "score_queries" : "score_queries_one",
        four
            ? Grid.of((groups.groups() + 3) / 4, heads, 256).withShared(4 * scores + shared)
            : Grid.of(groups.groups(), heads, 256).withShared(scores + shared),
        all(
            view.arguments(),
            these(
                view.perBatch(),
                view.tokens(),
                groups.queries().order(),
                groups.starts(),
                groups.counts(),
                groups.groups(),
                groups.queries().offsets(),
                groups.queries().clusters(),
                text ? 1 : 0,
                keys.tailKeys(),
                keys.logSizes(),
                keys.variances(),
                keys.sorted().offsets(),
                clusters,
                padded,
                scale(),
                passes,
                error ? 1 : 0,
                rule.kind(),
                rule.limit(),
                rule.least(),
                (float) rule.errorTarget(),
                selection.bits(),
                selection.blocks(),
                selection.keys())));
    return selection;
  }

  /**
   * By one vector that speaks for a group.
   *
   * @param kind 0 Quest's bound, 1 mass of the mean query, 2 the release's bound
   */
  public Selection byVectors(
      Tensor query, Groups groups, Keys keys, boolean text, int kind, Rule rule) {
    HeadView view = HeadView.of(query);
    Selection selection = selection(groups, keys);
    int clusters = keys.sorted().clusters();
    int padded = padded(clusters);
    select.launch(
        "score_vectors",
        Grid.of(groups.groups(), (int) groups.starts().size(0), 256).withShared(12 * padded),
        all(
            view.arguments(),
            these(
                view.perBatch(),
                view.tokens(),
                groups.queries().order(),
                groups.starts(),
                groups.counts(),
                groups.groups(),
                groups.queries().offsets(),
                groups.queries().clusters(),
                text ? 1 : 0,
                kind,
                keys.extremes().isPresent() ? keys.extremes().get() : (Object) 0L,
                keys.tailKeys(),
                keys.logSizes(),
                keys.center(),
                keys.sorted().offsets(),
                clusters,
                padded,
                scale(),
                rule.kind(),
                rule.limit(),
                rule.least(),
                selection.bits(),
                selection.blocks(),
                selection.keys())));
    return selection;
  }

  private float scale() {
    return (float) (1 / Math.sqrt(headDim));
  }

  // Attention

  /** Work of the attention kernel, longest first. */
  public record Items(Tensor items, Tensor count, Tensor pairs) {}

  public Items items(Groups groups, Selection selection, Keys keys, boolean tail) {
    int heads = (int) groups.starts().size(0);
    int tokens = (int) groups.queries().order().size(1);
    int tiles = (tokens + TILE - 1) / TILE + groups.groups();
    Items items =
        new Items(
            space(DType.INT32, (long) heads * tiles, 4),
            space(DType.INT32, 2),
            space(DType.INT64, 1));
    select.launch(
        "plan_items",
        Grid.of(1, 1024),
        groups.starts(),
        groups.counts(),
        groups.groups(),
        heads,
        selection.blocks(),
        selection.keys(),
        TILE,
        tail ? padded(keys.sorted().clusters()) / 8 + 1 : 0,
        items.items(),
        items.count(),
        items.pairs());
    return items;
  }

  /**
   * @param output {@code [batch, heads, tokens, headDim]}, written
   * @param logSums float32 {@code [heads, tokens]} for the logarithms of the sums, or empty
   */
  public void attend(
      Tensor query,
      Groups groups,
      Keys keys,
      Selection selection,
      Items items,
      boolean tail,
      Tensor output,
      Optional<Tensor> logSums) {
    HeadView view = HeadView.of(query);
    int clusters = keys.sorted().clusters();
    boolean hopper = hopperAttention.isPresent();
    Grid grid =
        hopper
            ? Grid.of(card.multiprocessors(), 384).withShared(headDim == 128 ? 203_392 : 139_392)
            : Grid.of((int) items.items().size(0), 256).withShared(384 * 2 * headDim);
    attention.launch(
        hopper ? "attend_sm90" : "attend",
        grid,
        all(
            view.arguments(),
            these(
                view.perBatch(),
                view.tokens(),
                groups.queries().order(),
                keys.keyBlocks(),
                keys.valueBlocks(),
                keys.blocks(),
                keys.sorted().offsets(),
                keys.sorted().blockStarts(),
                clusters,
                padded(clusters),
                tail ? keys.tailKeys() : (Object) 0L,
                tail ? keys.tailValues() : (Object) 0L,
                tail ? keys.logSizes() : (Object) 0L,
                selection.bits(),
                groups.groups(),
                selection.blocks(),
                items.items(),
                items.count(),
                scale()),
            new HeadView(output).arguments(),
            these(logSums.isPresent() ? logSums.get() : (Object) 0L)));
  }
}
