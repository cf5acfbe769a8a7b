package dev.gossamer.lm;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Tensor;
import java.util.List;

/** What is computed of the normalised stream and added to it. */
interface Branch {
  /**
   * Everything kept for the way back belongs to the caller's scope.
   *
   * @param x {@code [rows, hidden]} in the model's type
   */
  Pass forward(Tensor x, Rows rows);

  List<Parameter> parameters();

  /** One forward pass and its way back. */
  interface Pass {
    /** {@code [rows, hidden]}. */
    Tensor output();

    /**
     * Adds the weights' gradients and returns the input's, in the caller's scope.
     *
     * @param ofOutput {@code [rows, hidden]}
     * @param lossScale factor on the gradients of losses of the branch's own
     */
    Tensor backward(Tensor ofOutput, double lossScale);
  }
}
