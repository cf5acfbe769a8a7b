package dev.gossamer.lm.train;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Length of the whole model's gradient, every parameter counted once: those that all ranks hold
 * here, those of experts over the ranks that share them. Summed expert by expert in the order of
 * their numbers, so that it does not depend on which rank holds which.
 *
 * @param length Euclidean
 * @param notFinite the first parameter in which a gradient is not a finite number; empty if none
 */
record GradientNorm(double length, String notFinite) {
  /**
   * @param summed parameters whose gradients are summed over the ranks already
   * @param block the ranks that share a set of experts
   */
  static GradientNorm of(List<Parameter> summed, Communicator block) {
    double sum = 0;
    String bad = "";
    for (Parameter parameter : summed) {
      double square = 0;
      for (double one : parameter.ofExperts() ? ofExperts(parameter, block) : ofAll(parameter)) {
        square += one;
      }
      if (!Double.isFinite(square) && bad.isEmpty()) {
        bad = parameter.name();
      }
      sum += square;
    }
    return new GradientNorm(Math.sqrt(sum), bad);
  }

  private static double[] ofAll(Parameter parameter) {
    try (Scope scope = Scope.open()) {
      return new double[] {square(parameter.gradient())};
    }
  }

  private static double square(Tensor gradient) {
    return gradient.count() == 0 ? 0 : gradient.square().sum().to(DType.FLOAT64).item();
  }

  /** Of each expert of the block. */
  private static double[] ofExperts(Parameter parameter, Communicator block) {
    try (Scope scope = Scope.open()) {
      int own = (int) parameter.gradient().size(0);
      double[] squares = new double[own];
      for (int expert = 0; expert < own; expert++) {
        squares[expert] = square(parameter.gradient().select(0, expert));
      }
      if (block.size() == 1) {
        return squares;
      }
      // Ranks may hold one expert more or less: as many numbers from each as the largest has.
      Tensor most = Tensor.of(new long[] {own}, 1);
      block.allReduce(most, Reduction.MAXIMUM);
      double[] padded = Arrays.copyOf(squares, (int) most.item());
      return block.allGather(Tensor.of(padded, padded.length)).toDoubles();
    }
  }
}
