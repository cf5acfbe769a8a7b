package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;

/** Root-mean-square norm of the combined narrow rows: takes away how many experts spoke. */
record LatentNorm(Parameter weight) {
  private static final double EPSILON = 1e-6;

  Tensor forward(Tensor rows) {
    return rows.mul(scale(rows)).mul(weight.value());
  }

  /** Adds the weight's gradient and returns the rows'. */
  Tensor backward(Tensor rows, Tensor ofOutput, int microBatch) {
    Tensor scale = scale(rows);
    Tensor unit = rows.mul(scale);
    weight.add(ofOutput.mul(unit).sum(false, 0), microBatch);
    Tensor ofUnit = ofOutput.mul(weight.value());
    return ofUnit.sub(unit.mul(ofUnit.mul(unit).mean(true, 1))).mul(scale);
  }

  private static Tensor scale(Tensor rows) {
    return rows.square().mean(true, 1).add(EPSILON).rsqrt();
  }
}
