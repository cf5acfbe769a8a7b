package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Attention of query groups to their own key clusters, on a processor (AdaCluster 1.5).
 *
 * <p>The keys of a group, runs of whole clusters, are copied behind each other into a small buffer;
 * product, softmax and product then stay in the second-level cache. Small groups of about equal
 * length are multiplied together; a large group passes over its keys in several tiles of rows.
 * There are no token-level index lists and no matrix of queries by keys. Rows and keys are padded:
 * in bf16 to coarse steps, because the matrix library then prepares a kernel for every shape that
 * it meets; in float32 to what fills a vector. Scores are as wide as the products' type; the
 * softmax adds up in float32.
 */
public final class VariableBlockAttention {
  private static final int COARSE_KEYS = 64;
  private static final int MOST_ROWS = 128;
  private static final int MOST_GROUPS = 16;
  private static final int SCORES_AT_ONCE = 1 << 18;
  private static final int SCORES_OF_A_PASS = 1 << 19;

  private final int rowStep;
  private final int keyStep;
  private final Operands operands;
  private final ClusterLayout keyLayout;
  private final QueryGroups groups;
  private final KeySelection selection;
  private final Optional<CoarseAttention.Rest> tail;
  private final ByteBuffer queryRows;
  private final ByteBuffer keyRows;
  private final ByteBuffer valueRows;

  /**
   * A group as work: its rows in equal passes over its keys.
   *
   * @param keys keys and points, padded
   * @param rows rows of a pass, padded
   */
  private record Item(int group, int keys, int rows, int passes) {}

  /**
   * @param tail what the clusters that a group does not select come to, if they are to count; the
   *     queries then get their logits relative to it
   */
  public VariableBlockAttention(
      Operands operands,
      ClusterLayout keyLayout,
      QueryGroups groups,
      KeySelection selection,
      Optional<CoarseAttention.Rest> tail) {
    if (selection.groups() != groups.count()) {
      throw new IllegalArgumentException(
          selection.groups() + " selections for " + groups.count() + " query groups");
    }
    boolean half = operands.queries().dtype() == DType.BFLOAT16;
    this.rowStep = half ? 16 : 4;
    this.keyStep = half ? COARSE_KEYS : 16;
    this.operands = operands;
    this.keyLayout = keyLayout;
    this.groups = groups;
    this.selection = selection;
    this.tail = tail;
    this.queryRows = operands.queries().memory();
    this.keyRows = operands.keys().memory();
    this.valueRows = operands.values().memory();
    tail.ifPresent(operands::besideTail);
  }

  /**
   * Computes a range of groups; ranges that do not overlap may run on different threads.
   *
   * @param output {@code [tokens, headDim]}, contiguous, in the type of the products: rows in
   *     sorted order, of which those of the groups are written; rows without any key become zero
   * @param workspace scratch memory, used by one thread at a time
   */
  public void attend(int firstGroup, int endGroup, Tensor output, Workspace workspace) {
    List<Item> items = items(firstGroup, endGroup);
    int first = groups.start(firstGroup);
    float[] tailWeights = new float[groups.start(endGroup) - first];
    int next = 0;
    while (next < items.size()) {
      int count = batchFrom(items, next);
      List<Item> batch = items.subList(next, next + count);
      int keys = batch.get(count - 1).keys(); // ascending: the last is the longest
      if (keys == 0) {
        batch.forEach(
            item ->
                output.narrow(0, groups.start(item.group()), groups.size(item.group())).fill(0));
      } else {
        attend(batch, keys, output, workspace, tailWeights, first);
      }
      next += count;
    }
    tail.ifPresent(rest -> addTail(rest, tailWeights, first, output));
  }

  private static void addTail(
      CoarseAttention.Rest rest, float[] weights, int first, Tensor output) {
    int rows = weights.length;
    try (Scope scope = Scope.open()) {
      Tensor shares = Tensor.of(weights, rows, 1).div(rest.sums().narrow(0, first, rows));
      Tensor part = output.narrow(0, first, rows);
      part.copyFrom(rest.values().narrow(0, first, rows).mul(shares).add(part));
    }
  }

  private List<Item> items(int firstGroup, int endGroup) {
    List<Item> items = new ArrayList<>();
    for (int group = firstGroup; group < endGroup; group++) {
      int keys = padded(selection.keys(group, keyLayout) + tailKeys(), keyStep);
      int fitting = keys == 0 ? MOST_ROWS : SCORES_OF_A_PASS / keys / rowStep * rowStep;
      int most = Math.max(rowStep, Math.min(MOST_ROWS, fitting));
      int size = groups.size(group);
      int passes = (size + most - 1) / most;
      items.add(new Item(group, keys, padded((size + passes - 1) / passes, rowStep), passes));
    }
    items.sort(
        Comparator.comparingInt(Item::rows)
            .thenComparingInt(Item::keys)
            .thenComparingInt(Item::group));
    return items;
  }

  private static int padded(int count, int step) {
    return (count + step - 1) / step * step;
  }

  /** How many items from {@code first} on make one batch: a power of two, all of equal rows. */
  private int batchFrom(List<Item> items, int first) {
    Item head = items.get(first);
    // Sums over more padding round otherwise, and threads cut batches as they like.
    int slack = keyStep < COARSE_KEYS ? 0 : head.keys() / 16;
    int most = 1;
    while (head.passes() == 1 && first + most < items.size() && most < MOST_GROUPS) {
      Item next = items.get(first + most);
      if (next.passes() > 1
          || next.rows() != head.rows()
          || next.keys() > head.keys() + slack
          || (most + 1L) * next.rows() * next.keys() > SCORES_AT_ONCE) {
        break;
      }
      most++;
    }
    return Integer.highestOneBit(most);
  }

  private void attend(
      List<Item> batch,
      int keys,
      Tensor output,
      Workspace workspace,
      float[] tailWeights,
      int first) {
    Item head = batch.get(0);
    Workspace.Batch memory =
        workspace.batch(batch.size(), head.rows(), keys, operands.headDim(), operands.queries());
    for (int slot = 0; slot < batch.size(); slot++) {
      copyKeys(memory, slot, batch.get(slot).group());
    }
    ByteBuffer written = output.memory();
    for (int pass = 0; pass < head.passes(); pass++) {
      for (int slot = 0; slot < batch.size(); slot++) {
        int group = batch.get(slot).group();
        int from = groups.start(group) + pass * head.rows();
        memory.copyQueries(slot, queryRows, from, rowsOf(group, pass, head.rows()));
      }
      memory.multiply();
      for (int slot = 0; slot < batch.size(); slot++) {
        int group = batch.get(slot).group();
        int from = groups.start(group) + pass * head.rows();
        int rows = rowsOf(group, pass, head.rows());
        memory.copyOutput(slot, written, from, rows);
        for (int row = 0; row < rows && tail.isPresent(); row++) {
          tailWeights[from - first + row] = memory.firstWeight(slot, row);
        }
      }
    }
  }

  private int rowsOf(int group, int pass, int rows) {
    return Math.max(0, Math.min(rows, groups.size(group) - pass * rows));
  }

  /** The tail as a whole is one key, the first of every group. */
  private int tailKeys() {
    return tail.isPresent() ? 1 : 0;
  }

  private void copyKeys(Workspace.Batch memory, int slot, int group) {
    int filled = tailKeys();
    if (filled == 1) {
      memory.tailKey(slot);
    }
    int position = selection.start(group);
    int end = selection.end(group);
    while (position < end) {
      int first = selection.cluster(position);
      int last = first;
      while (position + 1 < end && selection.cluster(position + 1) == last + 1) {
        last++;
        position++;
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
