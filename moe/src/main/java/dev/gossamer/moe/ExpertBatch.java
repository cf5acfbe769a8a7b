package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;

/**
 * Neighbouring rows in the order of experts, and what their experts' weights make of them. Weights
 * are stacks, {@code [experts, out, in]}, biases {@code [experts, out]}; a bias may be null and
 * then nothing happens.
 */
interface ExpertBatch {
  /** The first row. */
  int from();

  int rows();

  /** {@code rows W^T}. */
  Tensor product(Tensor rows, Parameter weight);

  /** The same, into memory that is there. */
  void productInto(Tensor into, Tensor rows, Parameter weight);

  /** {@code rows W}. */
  Tensor productBack(Tensor rows, Parameter weight);

  /** Adds {@code rows W}. */
  void addProductBack(Tensor to, Tensor rows, Parameter weight);

  void addBias(Tensor to, Parameter bias);

  /** Adds {@code ofOutput^T input} to the weight's gradient. */
  void addGradient(Parameter weight, Tensor ofOutput, Tensor input);

  /** Adds the sum of the rows to the bias's gradient. */
  void addBiasGradient(Parameter bias, Tensor ofOutput);
}
