package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Attention of query groups to their own key clusters, on a processor (AdaCluster 1.5).
 *
 * <p>Groups are cut into tiles of at most {@value #TILE_ROWS} queries. The keys of a tile, runs of
 * whole clusters, are copied behind each other into a small buffer; a few tiles of about equal
 * length form one batched product, softmax and product that stay in the second-level cache. There
 * are no token-level index lists and no matrix of queries by keys. Rows are padded to multiples of
 * 16 and keys to multiples of {@value #KEY_STEP}, because the matrix library prepares a kernel for
 * every shape that it meets. Scores are as wide as the products' type; the softmax adds up in
 * float32.
 */
public final class VariableBlockAttention {
  static final int TILE_ROWS = 48;
  static final int KEY_STEP = 64;
  private static final int ROW_STEP = 16;
  private static final int MOST_TILES = 16;
  private static final int SCORES_AT_ONCE = 1 << 18;

  private final Operands operands;
  private final ClusterLayout keyLayout;
  private final QueryGroups groups;
  private final KeySelection selection;
  private final Optional<ClusterTail> tail;
  private final ByteBuffer queryRows;
  private final ByteBuffer keyRows;
  private final ByteBuffer valueRows;

  private record Tile(int group, int start, int rows, int keys) {
    int paddedRows() {
      return (rows + ROW_STEP - 1) / ROW_STEP * ROW_STEP;
    }
  }

  /**
   * @param tail points for the clusters that a group does not select, if they are to count
   */
  public VariableBlockAttention(
      Operands operands,
      ClusterLayout keyLayout,
      QueryGroups groups,
      KeySelection selection,
      Optional<ClusterTail> tail) {
    if (selection.groups() != groups.count()) {
      throw new IllegalArgumentException(
          selection.groups() + " selections for " + groups.count() + " query groups");
    }
    this.operands = operands;
    this.keyLayout = keyLayout;
    this.groups = groups;
    this.selection = selection;
    this.tail = tail;
    this.queryRows = operands.queries().memory();
    this.keyRows = operands.keys().memory();
    this.valueRows = operands.values().memory();
  }

  /**
   * Computes a range of groups; ranges that do not overlap may run on different threads.
   *
   * @param output {@code [tokens, headDim]}, contiguous, in the type of the products: rows in
   *     sorted order, of which those of the groups are written; rows without any key become zero
   * @param workspace scratch memory, used by one thread at a time
   */
  public void attend(int firstGroup, int endGroup, Tensor output, Workspace workspace) {
    List<Tile> tiles = tiles(firstGroup, endGroup);
    int next = 0;
    while (next < tiles.size()) {
      int count = batchFrom(tiles, next);
      List<Tile> batch = tiles.subList(next, next + count);
      int keys = batch.get(count - 1).keys(); // ascending: the last is the longest
      if (keys == 0) {
        batch.forEach(tile -> output.narrow(0, tile.start(), tile.rows()).fill(0));
      } else {
        attend(batch, keys, output, workspace);
      }
      next += count;
    }
  }

  private List<Tile> tiles(int firstGroup, int endGroup) {
    int points = tail.map(ClusterTail::clusters).orElse(0);
    List<Tile> tiles = new ArrayList<>();
    for (int group = firstGroup; group < endGroup; group++) {
      int size = groups.size(group);
      int keys = selection.keys(group, keyLayout) + points;
      int padded = (keys + KEY_STEP - 1) / KEY_STEP * KEY_STEP;
      int parts = (size + TILE_ROWS - 1) / TILE_ROWS;
      for (int part = 0; part < parts; part++) {
        int from = (int) ((long) size * part / parts);
        int to = (int) ((long) size * (part + 1) / parts);
        tiles.add(new Tile(group, groups.start(group) + from, to - from, padded));
      }
    }
    tiles.sort(
        Comparator.comparingInt(Tile::paddedRows)
            .thenComparingInt(Tile::keys)
            .thenComparingInt(Tile::start));
    return tiles;
  }

  /** How many tiles from {@code first} on make one batch: a power of two, all equally padded. */
  private static int batchFrom(List<Tile> tiles, int first) {
    Tile head = tiles.get(first);
    int most = 1;
    while (first + most < tiles.size()
        && most < MOST_TILES
        && tiles.get(first + most).paddedRows() == head.paddedRows()
        && tiles.get(first + most).keys() <= head.keys() + head.keys() / 16
        && (most + 1L) * head.paddedRows() * tiles.get(first + most).keys() <= SCORES_AT_ONCE) {
      most++;
    }
    return Integer.highestOneBit(most);
  }

  private void attend(List<Tile> batch, int keys, Tensor output, Workspace workspace) {
    Workspace.Batch memory =
        workspace.batch(
            batch.size(), batch.get(0).paddedRows(), keys, operands.headDim(), operands.queries());
    if (tail.isPresent() && workspace.tailIsStale(tail.get(), memory)) {
      for (int slot = 0; slot < batch.size(); slot++) {
        memory.copyTail(slot, tail.get());
      }
    }
    for (int slot = 0; slot < batch.size(); slot++) {
      Tile tile = batch.get(slot);
      memory.copyQueries(slot, queryRows, tile.start(), tile.rows());
      copyKeys(memory, slot, tile.group());
    }
    memory.multiply();
    ByteBuffer written = output.memory();
    for (int slot = 0; slot < batch.size(); slot++) {
      memory.copyOutput(slot, written, batch.get(slot).start(), batch.get(slot).rows());
    }
  }

  private void copyKeys(Workspace.Batch memory, int slot, int group) {
    int filled = 0;
    if (tail.isPresent()) {
      filled = tail.get().clusters();
      memory.showTail(slot, tail.get());
    }
    int position = selection.start(group);
    int end = selection.end(group);
    while (position < end) {
      int first = selection.cluster(position);
      int last = first;
      if (tail.isPresent()) {
        memory.hidePoint(slot, first);
      }
      while (position + 1 < end && selection.cluster(position + 1) == last + 1) {
        last++;
        position++;
        if (tail.isPresent()) {
          memory.hidePoint(slot, last);
        }
      }
      int from = keyLayout.start(first);
      int rows = keyLayout.start(last + 1) - from;
      memory.copyKeys(slot, filled, keyRows, valueRows, from, rows);
      filled += rows;
      position++;
    }
    memory.padKeys(slot, filled);
  }

  /** The type in which the products are computed. */
  public DType products() {
    return operands.queries().dtype();
  }
}
