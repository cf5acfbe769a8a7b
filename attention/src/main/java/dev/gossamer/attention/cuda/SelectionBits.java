package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/** Reads selections as kernels write them: one bit for each cluster. */
public final class SelectionBits {
  private static final int WORD = 32;

  private SelectionBits() {}

  /**
   * @param words INT32 {@code [.., words]}
   * @return BOOL {@code [.., clusters]}
   */
  static Tensor unpacked(Tensor words, int clusters) {
    try (Scope scope = Scope.open()) {
      double[] powers = new double[WORD];
      for (int bit = 0; bit < WORD; bit++) {
        powers[bit] = Math.scalb(1.0, bit);
      }
      // Exact in float64: the word without its sign, divided by each power, is even or odd.
      Tensor wide = words.to(DType.FLOAT64);
      Tensor plain = wide.add(wide.lt(0).to(DType.FLOAT64).mul(Math.scalb(1.0, WORD)));
      Tensor shifted =
          plain
              .unsqueeze(-1)
              .div(Tensor.of(powers, WORD).to(words.device()))
              .to(DType.INT64)
              .to(DType.FLOAT64);
      Tensor half = shifted.div(2).to(DType.INT64).to(DType.FLOAT64).mul(2);
      Tensor odd = shifted.sub(half).gt(0.5);
      return scope.keep(odd.flatten(-2, -1).narrow(-1, 0, clusters).contiguous());
    }
  }

  /**
   * Share of exact attention that lies inside the selection, estimated from evenly spaced queries
   * of each head in sorted order; mean over heads.
   *
   * @param query {@code [batch, heads, tokens, headDim]}, likewise key
   * @param labels INT64 {@code [heads, tokens]} of the keys
   */
  public static Tensor recall(
      Tensor query,
      Tensor key,
      ClusterKernels.Groups groups,
      ClusterKernels.Selection selection,
      Tensor labels,
      int clusters,
      int most) {
    try (Scope scope = Scope.open()) {
      Device device = query.device();
      long heads = labels.size(0);
      long tokens = labels.size(1);
      long headDim = query.size(3);
      int rows = (int) Math.min(most, tokens);
      long[] positions = new long[rows];
      for (int row = 0; row < rows; row++) {
        positions[row] = (long) ((row + 0.5) * tokens / rows);
      }
      Tensor at = Tensor.of(positions, 1, rows).to(device).expand(heads, rows).contiguous();
      Tensor asked = groups.queries().order().tensor().to(DType.INT64).gather(1, at);
      Tensor rowsOfQueries =
          HeadRows.pick(query.reshape(heads, tokens, headDim), asked)
              .to(DType.FLOAT32)
              .mul(1 / Math.sqrt(headDim))
              .to(query.dtype());
      Tensor mass =
          rowsOfQueries
              .matmul(key.reshape(heads, tokens, headDim).transpose(1, 2))
              .to(DType.FLOAT32)
              .softmax(2);
      Tensor group =
          groups
              .starts()
              .tensor()
              .narrow(1, 1, groups.groups())
              .to(DType.INT64)
              .contiguous()
              .countBelow(at, true)
              .clamp(0, groups.groups() - 1)
              .to(DType.INT64);
      Tensor words = HeadRows.pick(selection.bits().tensor(), group);
      Tensor seen =
          unpacked(words, clusters).gather(2, labels.unsqueeze(1).expand(heads, rows, tokens));
      return scope.keep(mass.mul(seen.to(DType.FLOAT32)).sum(false, 2).mean(false, 0, 1));
    }
  }
}
