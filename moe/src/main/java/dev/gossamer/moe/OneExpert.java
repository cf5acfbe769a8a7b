package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;

/**
 * Rows of one expert.
 *
 * @param expert its place in the stacks
 * @param part of the gradients that are kept apart
 */
record OneExpert(int expert, int part, int from, int rows) implements ExpertBatch {
  private Tensor own(Parameter weight) {
    return weight.value().select(0, expert);
  }

  @Override
  public Tensor product(Tensor rows, Parameter weight) {
    return rows.matmul(own(weight).transpose(0, 1));
  }

  @Override
  public void productInto(Tensor into, Tensor rows, Parameter weight) {
    Tensor.matmulInto(into, rows, own(weight).transpose(0, 1));
  }

  @Override
  public Tensor productBack(Tensor rows, Parameter weight) {
    return rows.matmul(own(weight));
  }

  @Override
  public void addProductBack(Tensor to, Tensor rows, Parameter weight) {
    to.addMatmulInPlace(rows, own(weight));
  }

  @Override
  public void addBias(Tensor to, Parameter bias) {
    if (bias != null) {
      to.addInPlace(own(bias));
    }
  }

  @Override
  public void addGradient(Parameter weight, Tensor ofOutput, Tensor input) {
    gradient(weight).addMatmulInPlace(ofOutput.transpose(0, 1), input);
  }

  @Override
  public void addBiasGradient(Parameter bias, Tensor ofOutput) {
    if (bias != null) {
      gradient(bias).addInPlace(ofOutput.sum(false, 0));
    }
  }

  private Tensor gradient(Parameter parameter) {
    return parameter.gradientOf(part).select(0, expert);
  }
}
