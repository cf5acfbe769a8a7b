package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/** Rows of several heads behind each other, so that one index reaches into all of them. */
final class HeadRows {
  private HeadRows() {}

  /** INT64 {@code [heads, 1]}: the first row of each head. */
  static Tensor firsts(long heads, long rows, Device device) {
    return times(Tensor.arange(heads, DType.INT64, device), rows).unsqueeze(1);
  }

  /** INT64 times a number; a product with a Java number would pass through float32. */
  static Tensor times(Tensor whole, long factor) {
    return whole.mul(Tensor.full(factor, DType.INT64, whole.device(), 1));
  }

  /**
   * Rows picked in each head.
   *
   * @param rows {@code [heads, rows, columns]}
   * @param index INT64 {@code [heads, picks]}
   * @return {@code [heads, picks, columns]}
   */
  static Tensor pick(Tensor rows, Tensor index) {
    try (Scope scope = Scope.open()) {
      long heads = rows.size(0);
      Tensor flat = index.add(firsts(heads, rows.size(1), rows.device())).reshape(-1);
      return scope.keep(
          rows.reshape(heads * rows.size(1), rows.size(2))
              .indexSelect(0, flat)
              .reshape(heads, index.size(1), rows.size(2)));
    }
  }

  /**
   * Sums of runs of rows of each head, each in the rows' order.
   *
   * @param rows {@code [heads, rows, columns]} float32
   * @param starts INT64 {@code [heads, runs]}, ascending from 0: the first row of each run
   * @return float32 {@code [heads, runs, columns]}
   */
  static Tensor sums(Tensor rows, Tensor starts) {
    try (Scope scope = Scope.open()) {
      long heads = rows.size(0);
      long count = rows.size(1);
      Tensor flat = rows.reshape(heads * count, rows.size(2)).contiguous();
      Tensor every = Tensor.arange(heads * count, DType.INT64, rows.device());
      return scope.keep(
          flat.sumRows(every, flatStarts(starts, count), null)
              .reshape(heads, starts.size(1), rows.size(2)));
    }
  }

  /** As {@link #sums}, the largest of each column; zero for no rows. */
  static Tensor largest(Tensor rows, Tensor starts) {
    try (Scope scope = Scope.open()) {
      long heads = rows.size(0);
      long count = rows.size(1);
      Tensor flat = rows.reshape(heads * count, rows.size(2)).contiguous();
      Tensor every = Tensor.arange(heads * count, DType.INT64, rows.device());
      return scope.keep(
          flat.maxRows(every, flatStarts(starts, count))
              .reshape(heads, starts.size(1), rows.size(2)));
    }
  }

  private static Tensor flatStarts(Tensor starts, long rows) {
    return starts.add(firsts(starts.size(0), rows, starts.device())).reshape(-1).contiguous();
  }
}
