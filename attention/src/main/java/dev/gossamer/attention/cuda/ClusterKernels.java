package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.cuda.Grid;
import dev.gossamer.tensor.cuda.KernelSource;
import dev.gossamer.tensor.cuda.Kernels;
import dev.gossamer.tensor.cuda.Scratch;
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

  /** Arguments of the first side and behind them those of the second, or the first's again. */
  private static Object[] twice(List<Object[]> sides) {
    return all(sides.get(0), sides.get(sides.size() - 1));
  }

  // Clusters

  /** Starting centroids, float32 {@code [heads, clusters, headDim]}. */
  public Tensor seeds(
      Device device, HeadView tokens, long[] shifts, boolean euclidean, int clusters) {
    double[] starts = new double[shifts.length];
    for (int h = 0; h < starts.length; h++) {
      starts[h] = (shifts[h] & 0xffffff) / (double) 0x1000000;
    }
    Tensor centroids = Tensor.empty(DType.FLOAT32, device, shifts.length, clusters, headDim);
    kmeans.launch(
        "seed_centroids",
        Grid.of(clusters, shifts.length, headDim),
        all(
            tokens.arguments(),
            these(
                tokens.perBatch(),
                tokens.tokens(),
                Tensor.of(starts, starts.length).to(device),
                euclidean ? 1 : 0,
                clusters,
                centroids)));
    return centroids;
  }

  /**
   * Queries or keys, and their centroids, which move.
   *
   * @param tokens all of them, text included
   * @param centroids float32 {@code [heads, centroids, headDim]}
   * @param counts INT32 {@code [heads]}: how many of them a head has; empty for all
   * @param euclidean whether distances count; if not, angles
   */
  public record Side(
      HeadView tokens, Scratch.Part centroids, Optional<Tensor> counts, boolean euclidean) {
    int count() {
      return (int) centroids.size(1);
    }

    private int kind() {
      return euclidean ? 1 : 0;
    }
  }

  /** Centroids as the right operand of a product. */
  public record Operand(
      Scratch.Part blocks, Scratch.Part bias, Scratch.Part center, int clusters, int padded) {}

  /** One for each side, of which there are one or two. */
  public List<Operand> operands(Scratch scratch, List<Side> sides) {
    List<Operand> operands = new ArrayList<>();
    List<Object[]> arguments = new ArrayList<>();
    int heads = sides.get(0).tokens().heads();
    for (Side side : sides) {
      int padded = padded(side.count());
      Operand operand =
          new Operand(
              scratch.take(DType.INT16, heads, padded, headDim),
              scratch.take(DType.FLOAT32, heads, padded),
              scratch.take(DType.FLOAT32, heads, headDim),
              side.count(),
              padded);
      operands.add(operand);
      arguments.add(
          these(
              side.centroids(),
              side.counts().isPresent() ? side.counts().get() : (Object) 0L,
              side.count(),
              padded,
              side.kind(),
              operand.blocks(),
              operand.bias(),
              operand.center()));
    }
    kmeans.launch("prepare_centroids", Grid.of(heads, sides.size(), 1024), twice(arguments));
    return operands;
  }

  /**
   * Nearest centroid of each token from {@code first} on.
   *
   * @return INT16 {@code [heads, all tokens]}, written for these tokens
   */
  public Scratch.Part assign(
      Scratch scratch, HeadView tokens, int first, int count, Operand operand) {
    HeadView part = tokens.from(first, count);
    int heads = tokens.heads();
    Scratch.Part labels = scratch.take(DType.INT16, heads, tokens.tokens());
    Object[] arguments =
        all(
            part.arguments(),
            these(
                part.perBatch(),
                count,
                operand.blocks(),
                operand.bias(),
                operand.clusters(),
                operand.padded(),
                labels.addressOf(first),
                (long) tokens.tokens(),
                0L,
                0L));
    if (hopperKmeans.isPresent()) {
      hopperKmeans
          .get()
          .launch(
              "nearest_centroid_sm90",
              Grid.of(card.multiprocessors(), 544).withShared(headDim == 128 ? 198_688 : 134_208),
              all(these(heads), arguments));
    } else {
      kmeans.launch(
          "nearest_centroid",
          Grid.of((count + TILE - 1) / TILE, heads, 256).withShared(256 * 2 * headDim),
          arguments);
    }
    return labels;
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
      Scratch.Part labels,
      Scratch.Part order,
      Scratch.Part offsets,
      Scratch.Part blockStarts,
      int clusters) {}

  /**
   * What is to be sorted.
   *
   * @param labels INT16 {@code [heads, tokens]}
   * @param clusters text's included
   */
  public record Labelled(Scratch.Part labels, int clusters) {}

  /** Runs of sorted queries that share a selection; see {@code sort_offsets}. */
  public record Groups(Scratch.Part starts, Scratch.Part counts, int groups, Sorted queries) {}

  /** Both sides sorted, the queries in groups. */
  public record Ordered(Groups groups, Sorted keys) {}

  /** One side sorted; see {@link #sort(Scratch, int, int, Labelled, Labelled, int)}. */
  public Sorted sort(Scratch scratch, int first, int end, Labelled labelled) {
    return sort(scratch, first, end, List.of(labelled), 0, 0, these(0L, 0L)).get(0);
  }

  /**
   * Tokens outside of the video from {@code first} to {@code end} are the last cluster.
   *
   * @param most queries of a group
   */
  public Ordered sort(
      Scratch scratch, int first, int end, Labelled queries, Labelled keys, int most) {
    long heads = queries.labels().size(0);
    long tokens = queries.labels().size(1);
    int bound = (int) ((tokens + most - 1) / most) + queries.clusters();
    Scratch.Part starts = scratch.take(DType.INT32, heads, bound + 1L);
    Scratch.Part counts = scratch.take(DType.INT32, heads);
    List<Sorted> sorted =
        sort(scratch, first, end, List.of(queries, keys), most, bound, these(starts, counts));
    return new Ordered(new Groups(starts, counts, bound, sorted.get(0)), sorted.get(1));
  }

  private List<Sorted> sort(
      Scratch scratch,
      int first,
      int end,
      List<Labelled> sides,
      int most,
      int groups,
      Object[] grouping) {
    int heads = (int) sides.get(0).labels().size(0);
    int tokens = (int) sides.get(0).labels().size(1);
    int chunks = (tokens + SORT_CHUNK - 1) / SORT_CHUNK;
    int widest = sides.stream().mapToInt(Labelled::clusters).max().orElseThrow();
    List<Sorted> sorted = new ArrayList<>();
    List<Object[]> counting = new ArrayList<>();
    List<Object[]> offsets = new ArrayList<>();
    List<Object[]> scattering = new ArrayList<>();
    for (Labelled side : sides) {
      int clusters = side.clusters();
      int padded = padded(clusters);
      Scratch.Part counts = scratch.take(DType.INT32, heads, chunks, clusters);
      Sorted result =
          new Sorted(
              side.labels(),
              scratch.take(DType.INT32, heads, tokens),
              scratch.take(DType.INT32, heads, clusters + 1L),
              scratch.take(DType.INT32, heads, padded + 1L),
              clusters);
      sorted.add(result);
      counting.add(these(side.labels(), clusters, counts));
      offsets.add(these(counts, clusters, padded, result.offsets(), result.blockStarts()));
      scattering.add(these(side.labels(), clusters, counts, result.order()));
    }
    Grid grid = new Grid(chunks, heads, sides.size(), 256, 0);
    Object[] common = these((long) tokens, tokens, first, end);
    kmeans.launch("sort_count", grid.withShared(4 * widest), all(common, twice(counting)));
    kmeans.launch(
        "sort_offsets",
        Grid.of(heads, sides.size(), 1024),
        all(these(chunks), twice(offsets), these(most, groups), grouping));
    kmeans.launch("sort_scatter", grid.withShared(16 * widest), all(common, twice(scattering)));
    return sorted;
  }

  /** Moves centroids to their tokens, in place; empty ones to tokens far from theirs. */
  public void update(Scratch scratch, Side side, Sorted sorted) {
    Far far = far(scratch, side);
    kmeans.launch(
        "update_centroids",
        Grid.of(side.count(), side.tokens().heads(), 256),
        all(
            side.tokens().arguments(),
            these(
                side.tokens().perBatch(),
                side.tokens().tokens(),
                sorted.order(),
                sorted.offsets(),
                sorted.clusters(),
                side.kind(),
                side.count(),
                side.centroids(),
                far.distances(),
                far.tokens())));
    reseed(side.tokens(), List.<Object[]>of(reseeded(side, sorted, far)));
  }

  private record Far(Scratch.Part distances, Scratch.Part tokens) {}

  private static Far far(Scratch scratch, Side side) {
    int heads = side.tokens().heads();
    return new Far(
        scratch.take(DType.FLOAT32, heads, side.count()),
        scratch.take(DType.INT32, heads, side.count()));
  }

  private static Object[] reseeded(Side side, Sorted sorted, Far far) {
    return all(
        side.tokens().arguments(),
        these(
            sorted.offsets(),
            sorted.clusters(),
            side.kind(),
            side.count(),
            side.centroids(),
            far.distances(),
            far.tokens()));
  }

  private void reseed(HeadView tokens, List<Object[]> sides) {
    kmeans.launch(
        "reseed",
        Grid.of(tokens.heads(), sides.size(), 256),
        all(these(tokens.perBatch(), tokens.tokens()), twice(sides)));
  }

  /** Keys and values in the order of their clusters, and what is to be known of each cluster. */
  public record Keys(
      Sorted sorted,
      long blocks,
      Tensor keyBlocks,
      Tensor valueBlocks,
      Scratch.Part tailKeys,
      Scratch.Part tailValues,
      Scratch.Part logSizes,
      Scratch.Part variances,
      Optional<Scratch.Part> extremes,
      Scratch.Part center) {}

  /**
   * The last update of keys, in place, with all that later steps read of keys and values; beside it
   * the last one of queries.
   *
   * @param queries empty if they stay as they are
   * @param center of the keys' operand
   */
  public Keys update(
      Scratch scratch,
      Optional<Side> queries,
      Sorted sortedQueries,
      Side keys,
      HeadView values,
      Sorted sorted,
      Scratch.Part center,
      boolean extremes,
      Device device) {
    int heads = keys.tokens().heads();
    int clusters = keys.count();
    int padded = padded(sorted.clusters());
    long blocks = (keys.tokens().tokens() + 7) / 8 + sorted.clusters();
    Keys result =
        new Keys(
            sorted,
            blocks,
            Tensor.empty(DType.INT16, device, heads, blocks, 8L * headDim),
            Tensor.empty(DType.INT16, device, heads, blocks, 8L * headDim),
            scratch.take(DType.INT16, heads, padded + 8L, headDim),
            scratch.take(DType.INT16, heads, padded + 8L, headDim),
            scratch.take(DType.FLOAT32, heads, padded),
            scratch.take(DType.INT16, heads, padded, headDim),
            extremes
                ? Optional.of(scratch.take(DType.INT16, heads, 2, padded, headDim))
                : Optional.empty(),
            center);
    Side first = queries.orElse(keys);
    int updated = queries.isPresent() ? first.count() : 0;
    Far farQueries = far(scratch, first);
    Far far = far(scratch, keys);
    kmeans.launch(
        extremes ? "update_both_extremes" : "update_both",
        Grid.of(updated + padded, heads, 256),
        all(
            first.tokens().arguments(),
            these(
                sortedQueries.order(),
                sortedQueries.offsets(),
                sortedQueries.clusters(),
                first.kind(),
                updated,
                first.centroids(),
                farQueries.distances(),
                farQueries.tokens()),
            keys.tokens().arguments(),
            values.arguments(),
            these(
                keys.tokens().perBatch(),
                keys.tokens().tokens(),
                sorted.order(),
                sorted.offsets(),
                sorted.blockStarts(),
                center,
                clusters,
                sorted.clusters(),
                padded,
                keys.centroids(),
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
    List<Object[]> sides = new ArrayList<>();
    queries.ifPresent(side -> sides.add(reseeded(side, sortedQueries, farQueries)));
    sides.add(reseeded(keys, sorted, far));
    reseed(keys.tokens(), sides);
    return result;
  }

  // Selection

  /**
   * How far down the ranking a group goes: the numbers that {@code struct Rule} explains.
   *
   * @param kind 0 share of keys, 1 clusters, 2 share of clusters, 3 mass
   */
  public record Rule(int kind, double limit, double least, double errorTarget) {}

  /** What was selected; see {@code score_queries}. */
  public record Selection(Scratch.Part bits, Scratch.Part blocks, Scratch.Part keys) {}

  private static Selection selection(Scratch scratch, Groups groups, Keys keys) {
    long heads = groups.starts().size(0);
    return new Selection(
        scratch.take(DType.INT32, heads, groups.groups(), padded(keys.sorted().clusters()) / 32),
        scratch.take(DType.INT32, heads, groups.groups()),
        scratch.take(DType.INT32, heads, groups.groups()));
  }

  /**
   * By query mass or expected error.
   *
   * @param text whether the last cluster of both sides is protected text
   * @param passes 16 queries of a group each
   */
  public Selection byQueries(
      Scratch scratch,
      HeadView view,
      Groups groups,
      Keys keys,
      boolean text,
      int passes,
      boolean error,
      Rule rule) {
    Selection selection = selection(scratch, groups, keys);
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
      Scratch scratch, HeadView view, Groups groups, Keys keys, boolean text, int kind, Rule rule) {
    Selection selection = selection(scratch, groups, keys);
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

  /**
   * Work of the attention kernel, longest first.
   *
   * @param facts float32 {@code [5]}, for the report; see {@code plan_items}
   */
  public record Items(Scratch.Part items, Scratch.Part count, Tensor facts) {}

  public Items items(
      Scratch scratch, Groups groups, Selection selection, Keys keys, boolean tail, Device device) {
    int heads = (int) groups.starts().size(0);
    int tokens = (int) groups.queries().order().size(1);
    int tiles = (tokens + TILE - 1) / TILE + groups.groups();
    Items items =
        new Items(
            scratch.take(DType.INT32, (long) heads * tiles, 4),
            scratch.take(DType.INT32, 2),
            Tensor.empty(DType.FLOAT32, device, 5));
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
        groups.queries().offsets(),
        groups.queries().clusters(),
        keys.sorted().offsets(),
        keys.sorted().clusters(),
        tokens,
        items.items(),
        items.count(),
        scratch.take(DType.INT64, 1),
        items.facts());
    return items;
  }

  /**
   * @param output {@code [batch, heads, tokens, headDim]}, written
   * @param logSums float32 {@code [heads, tokens]} for the logarithms of the sums, or empty
   */
  public void attend(
      HeadView view,
      Groups groups,
      Keys keys,
      Selection selection,
      Items items,
      boolean tail,
      Tensor output,
      Optional<Tensor> logSums) {
    int clusters = keys.sorted().clusters();
    boolean hopper = hopperAttention.isPresent();
    Grid grid =
        hopper
            ? Grid.of(card.multiprocessors(), 384).withShared(headDim == 128 ? 203_136 : 139_136)
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
            HeadView.seen(output).arguments(),
            these(logSums.isPresent() ? logSums.get() : (Object) 0L)));
  }
}
