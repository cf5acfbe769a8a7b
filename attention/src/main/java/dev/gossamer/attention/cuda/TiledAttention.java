package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * Attention of groups of sorted queries to their own key clusters, by operations of libtorch
 * (AdaCluster 1.5 and 1.9): tiles of queries, for each tile the keys of its group gathered behind
 * each other and, as a strip of pseudo-keys, one point for every cluster that the group left out.
 * The host reads one number: the keys of the largest selection.
 *
 * @param queries {@code [heads, tokens, headDim]}, sorted, scaled
 * @param keys {@code [heads, tokens, headDim]}, sorted
 * @param values {@code [heads, tokens, headDim]}, sorted
 * @param keyLayouts clusters of the keys
 * @param groups of queries
 * @param selection BOOL {@code [heads, groups, clusters]}
 * @param tail the clusters as points, if what is left out counts
 */
public record TiledAttention(
    Tensor queries,
    Tensor keys,
    Tensor values,
    HeadLayouts keyLayouts,
    HeadGroups groups,
    Tensor selection,
    Optional<HeadStatistics> tail) {
  private static final double UNSEEN = -1e30;
  private static final int KEY_STEP = 64;
  private static final long GATHERED_AT_ONCE = 1L << 28;

  /** INT64 {@code [heads, groups]}: keys that each group attends to. */
  public Tensor keyCounts() {
    try (Scope scope = Scope.open()) {
      return scope.keep(selectedSizes().sum(false, 2));
    }
  }

  /** INT64 {@code [heads, groups, clusters]}: sizes of selected clusters, 0 of others. */
  private Tensor selectedSizes() {
    return selection.to(DType.INT64).mul(keyLayouts.sizes().unsqueeze(1));
  }

  /**
   * @param tileQueries most queries of a tile
   * @param output {@code [rows + 1, headDim]}, written: the last row is for whatever pads a tile
   * @param places INT64 {@code [heads, tokens]}: the row of the output for each sorted query
   */
  public void attend(int tileQueries, Tensor output, Tensor places) {
    try (Scope scope = Scope.open()) {
      Device device = queries.device();
      long heads = queries.size(0);
      long tokens = queries.size(1);
      HeadGroups tiles = groups.cuts(tileQueries);
      Tensor chosen = selectedSizes();
      Tensor counts = chosen.sum(false, 2);
      long most = ((long) counts.amax().item() + KEY_STEP - 1) / KEY_STEP * KEY_STEP;
      long inGroups = groups.count();
      // Everything flat over heads: one tile after the other, whosever it is.
      Tensor ends = chosen.cumsum(2).reshape(heads * inGroups, keyLayouts.clusters());
      Plan plan =
          new Plan(
              tiles.starts().reshape(-1),
              tiles.sizes().reshape(-1),
              tiles.owners().add(HeadRows.firsts(heads, inGroups, device)).reshape(-1),
              HeadRows.firsts(heads, 1, device).expand(heads, tiles.count()).reshape(-1),
              ends,
              chosen.reshape(heads * inGroups, keyLayouts.clusters()),
              counts.reshape(-1),
              places.reshape(-1));
      long width = most + (tail.isPresent() ? keyLayouts.clusters() : 0);
      long atOnce = Math.max(1, GATHERED_AT_ONCE / (width * queries.size(2)));
      long count = heads * tiles.count();
      for (long from = 0; from < count; from += atOnce) {
        long length = Math.min(atOnce, count - from);
        try (Scope batch = Scope.open()) {
          attend(plan.part(from, length), tileQueries, most, tokens, output);
        }
      }
    }
  }

  /**
   * Tiles of all heads behind each other, and what they need of their groups.
   *
   * @param starts first sorted query of each tile
   * @param sizes its queries
   * @param groups its group, counted over all heads
   * @param heads its head
   * @param ends per group, keys up to and with each cluster
   * @param chosen per group, keys of each cluster
   * @param counts per group, keys in all
   * @param places rows of the output
   */
  private record Plan(
      Tensor starts,
      Tensor sizes,
      Tensor groups,
      Tensor heads,
      Tensor ends,
      Tensor chosen,
      Tensor counts,
      Tensor places) {
    Plan part(long from, long length) {
      return new Plan(
          starts.narrow(0, from, length),
          sizes.narrow(0, from, length),
          groups.narrow(0, from, length),
          heads.narrow(0, from, length),
          ends,
          chosen,
          counts,
          places);
    }
  }

  private void attend(Plan tiles, int tileQueries, long most, long tokens, Tensor output) {
    Device device = queries.device();
    long count = tiles.starts().size(0);
    long headDim = queries.size(2);
    Tensor rows = Tensor.arange(tileQueries, DType.INT64, device).unsqueeze(0);
    Tensor firsts = HeadRows.times(tiles.heads(), tokens).unsqueeze(1);
    Tensor rowThere = rows.sub(tiles.sizes().unsqueeze(1)).lt(0);
    Tensor rowIndex =
        tiles.starts().unsqueeze(1).add(rows).clamp(0, tokens - 1).to(DType.INT64).add(firsts);
    Tensor tileQuery = gathered(queries, rowIndex);

    Tensor keyIndex = keyIndex(tiles, most, tokens).add(firsts);
    Tensor slots = Tensor.arange(most, DType.INT64, device).unsqueeze(0);
    Tensor missing =
        slots.sub(tiles.counts().indexSelect(0, tiles.groups()).unsqueeze(1)).lt(0).logicalNot();
    Tensor tileKeys = gathered(keys, keyIndex);
    Tensor tileValues = gathered(values, keyIndex);
    Tensor bias = Tensor.zeros(DType.FLOAT32, device, count, most).maskedFill(missing, UNSEEN);
    if (tail.isPresent()) {
      HeadStatistics points = tail.get();
      Tensor left = tiles.chosen().indexSelect(0, tiles.groups()).gt(0);
      tileKeys =
          Tensor.cat(1, tileKeys, points.means().to(keys.dtype()).indexSelect(0, tiles.heads()));
      tileValues =
          Tensor.cat(
              1, tileValues, points.meanValues().to(values.dtype()).indexSelect(0, tiles.heads()));
      bias =
          Tensor.cat(
              1, bias, points.logSizes().indexSelect(0, tiles.heads()).maskedFill(left, UNSEEN));
    }
    Tensor attended = softmaxed(tileQuery, tileKeys, tileValues, bias);
    Tensor place =
        rowThere.where(
            tiles.places().indexSelect(0, rowIndex.reshape(-1)).reshape(count, tileQueries),
            Tensor.full(output.size(0) - 1, DType.INT64, device, 1, 1));
    output.indexCopy(0, place.reshape(-1), attended.to(output.dtype()).reshape(-1, headDim));
  }

  /** For each tile and slot the sorted position of its key; whatever is behind the last, any. */
  private Tensor keyIndex(Plan tiles, long most, long tokens) {
    Device device = queries.device();
    long count = tiles.starts().size(0);
    Tensor ends = tiles.ends().indexSelect(0, tiles.groups());
    Tensor slots = Tensor.arange(most, DType.INT64, device).expand(count, most).contiguous();
    Tensor cluster =
        ends.countBelow(slots, true).clamp(0, keyLayouts.clusters() - 1).to(DType.INT64);
    Tensor begins = ends.sub(tiles.chosen().indexSelect(0, tiles.groups()));
    Tensor starts = keyLayouts.starts().indexSelect(0, tiles.heads());
    Tensor within = slots.sub(begins.gather(1, cluster));
    return starts.gather(1, cluster).add(within).clamp(0, tokens - 1).to(DType.INT64);
  }

  private static Tensor gathered(Tensor rows, Tensor flatIndex) {
    return rows.reshape(-1, rows.size(2))
        .indexSelect(0, flatIndex.reshape(-1))
        .reshape(flatIndex.size(0), flatIndex.size(1), rows.size(2));
  }

  /** Sums in float32, products in the type of the keys. */
  private static Tensor softmaxed(Tensor queries, Tensor keys, Tensor values, Tensor bias) {
    Tensor weights =
        queries.matmul(keys.transpose(1, 2)).to(DType.FLOAT32).add(bias.unsqueeze(1)).softmax(2);
    return weights.to(values.dtype()).matmul(values);
  }
}
