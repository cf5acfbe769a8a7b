package dev.gossamer.moe.parallel;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;

/**
 * Rows of a tensor in another order, some of them perhaps more than once. They are read and written
 * a few at a time, by the thread that computes with them, so that no reordered copy of all rows is
 * ever made.
 *
 * @param rows {@code [any, width]}
 * @param index INT64, the place in {@code rows} of each row of the view; null for the rows as they
 *     stand
 * @param scale {@code [view, 1]} a factor on each row of the view, or null; views with factors are
 *     only read
 * @param compute type in which rows are read
 */
public record RowView(Tensor rows, Tensor index, Tensor scale, DType compute) {
  private static final int BLOCK = 256;

  /** Some neighbouring rows of the view. */
  public Tensor read(long from, long count) {
    Tensor raw =
        index == null
            ? rows.narrow(0, from, count)
            : rows.indexSelect(0, index.narrow(0, from, count));
    Tensor some = raw.to(compute);
    if (scale == null) {
      return some;
    }
    Tensor factors = scale.narrow(0, from, count);
    return index == null ? some.mul(factors) : some.mulInPlace(factors);
  }

  /** Overwrites some neighbouring rows of the view. */
  public void write(long from, Tensor block) {
    long count = block.size(0);
    if (index == null) {
      rows.narrow(0, from, count).copyFrom(block);
    } else {
      rows.indexCopy(0, index.narrow(0, from, count), block.to(rows.dtype()));
    }
  }

  /** All rows of the view in memory of their own. */
  Tensor gathered(long count, DType type, Threads threads) {
    Tensor all = Tensor.empty(type, rows.device(), count, rows.size(1));
    long size = rows.device().isCpu() ? BLOCK : Math.max(1, count);
    threads.forEach(
        (int) ((count + size - 1) / size),
        block -> {
          long from = block * size;
          long some = Math.min(size, count - from);
          all.narrow(0, from, some).copyFrom(read(from, some));
        });
    return all;
  }

  /** Lets its tensors outlive a scope. */
  public RowView keep(Scope scope) {
    for (Tensor tensor : new Tensor[] {rows, index, scale}) {
      if (tensor != null) {
        scope.keep(tensor);
      }
    }
    return this;
  }
}
