package dev.gossamer.moe;

import dev.gossamer.moe.parallel.ExpertRows;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * Rows of all experts, each product one call: a card that is asked for every expert's product waits
 * for the calls, not for the products.
 *
 * @param rows in all, at least one
 * @param ends INT32 {@code [experts]}, behind each expert's last row
 * @param starts INT64 {@code [experts]}, each expert's first row
 */
record AllExperts(int rows, Tensor ends, Tensor starts) implements ExpertBatch {
  private static final int ALIGNED = 16; // bytes, of the rows of all that takes part

  static AllExperts of(ExpertRows rows, Device device) {
    int[] offsets = rows.offsets();
    int experts = offsets.length - 1;
    int[] ends = new int[experts];
    int[] starts = new int[experts];
    System.arraycopy(offsets, 1, ends, 0, experts);
    System.arraycopy(offsets, 0, starts, 0, experts);
    return new AllExperts(
        offsets[experts],
        Tensor.of(ends, experts).to(device),
        Tensor.of(starts, experts).to(DType.INT64).to(device));
  }

  /**
   * Whether it is worthwhile with such weights, and libtorch has products of their type and shape.
   */
  static boolean fit(Tensor weight) {
    long bytes = weight.dtype().bytes();
    return !weight.device().isCpu()
        && weight.dtype() != DType.FLOAT64
        && weight.size(1) * bytes % ALIGNED == 0
        && weight.size(2) * bytes % ALIGNED == 0;
  }

  @Override
  public int from() {
    return 0;
  }

  @Override
  public Tensor product(Tensor rows, Parameter weight) {
    return rows.groupedMatmul(weight.value().transpose(1, 2), ends);
  }

  @Override
  public void productInto(Tensor into, Tensor rows, Parameter weight) {
    into.copyFrom(product(rows, weight));
  }

  @Override
  public Tensor productBack(Tensor rows, Parameter weight) {
    return rows.groupedMatmul(weight.value(), ends);
  }

  @Override
  public void addProductBack(Tensor to, Tensor rows, Parameter weight) {
    to.addInPlace(productBack(rows, weight));
  }

  @Override
  public void addBias(Tensor to, Parameter bias) {
    if (bias != null) {
      Tensor expert = ends.countBelow(numbers(DType.INT32), true);
      to.addInPlace(bias.value().indexSelect(0, expert));
    }
  }

  @Override
  public void addGradient(Parameter weight, Tensor ofOutput, Tensor input) {
    weight.gradientOf(0).addInPlace(ofOutput.transpose(0, 1).groupedMatmul(input, ends));
  }

  @Override
  public void addBiasGradient(Parameter bias, Tensor ofOutput) {
    if (bias != null) {
      bias.gradientOf(0).addInPlace(ofOutput.sumRows(numbers(DType.INT64), starts, null));
    }
  }

  private Tensor numbers(DType type) {
    return Tensor.arange(rows, type, ends.device());
  }
}
