package dev.gossamer.lm.train;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

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
    List<double[]> squares = squares(summed);
    if (block.size() > 1) {
      replaceByBlocks(squares, summed, block);
    }
    double sum = 0;
    String bad = "";
    for (int i = 0; i < squares.size(); i++) {
      Parameter parameter = summed.get(i);
      double square = Arrays.stream(squares.get(i)).reduce(0, Double::sum);
      if (!Double.isFinite(square) && bad.isEmpty()) {
        bad = parameter.name();
      }
      sum += square;
    }
    return new GradientNorm(Math.sqrt(sum), bad);
  }

  /** Of each parameter, or of each of its experts; a card is asked once for all. */
  private static List<double[]> squares(List<Parameter> parameters) {
    double[] all;
    try (Scope scope = Scope.open()) {
      List<Tensor> each = new ArrayList<>();
      for (Parameter parameter : parameters) {
        Tensor gradient = parameter.gradient();
        if (parameter.ofExperts() && !gradient.device().isCpu()) {
          each.add(squares(gradient));
          continue;
        }
        for (int part = 0; part < parts(parameter); part++) {
          each.add(square(parameter.ofExperts() ? gradient.select(0, part) : gradient));
        }
      }
      all = Tensor.cat(0, each.toArray(Tensor[]::new)).toDoubles();
    }
    List<double[]> squares = new ArrayList<>();
    int from = 0;
    for (Parameter parameter : parameters) {
      squares.add(Arrays.copyOfRange(all, from, from + parts(parameter)));
      from += parts(parameter);
    }
    return squares;
  }

  private static int parts(Parameter parameter) {
    return parameter.ofExperts() ? (int) parameter.gradient().size(0) : 1;
  }

  /** FLOAT64 {@code [parts]}, in one call for a card, to which calls are dearer than sums. */
  static Tensor squares(Tensor gradient) {
    try (Scope scope = Scope.open()) {
      Tensor rows = gradient.reshape(gradient.size(0), -1);
      return scope.keep(rows.square().sum(false, 1).to(DType.FLOAT64));
    }
  }

  /** FLOAT64 {@code [1]}. */
  static Tensor square(Tensor gradient) {
    try (Scope scope = Scope.open()) {
      return scope.keep(gradient.square().sum().to(DType.FLOAT64).reshape(1));
    }
  }

  /** Puts those of each expert of the block in the place of those of this rank's experts. */
  private static void replaceByBlocks(
      List<double[]> squares, List<Parameter> parameters, Communicator block) {
    int[] stacks =
        IntStream.range(0, squares.size()).filter(i -> parameters.get(i).ofExperts()).toArray();
    try (Scope scope = Scope.open()) {
      // Ranks may hold one expert more or less: as many numbers from each as the largest has.
      long own = Arrays.stream(stacks).map(i -> squares.get(i).length).max().orElse(0);
      Tensor most = Tensor.of(new long[] {own}, 1);
      block.allReduce(most, Reduction.MAXIMUM);
      int width = (int) most.item();
      double[] padded = new double[stacks.length * width];
      for (int i = 0; i < stacks.length; i++) {
        double[] of = squares.get(stacks[i]);
        System.arraycopy(of, 0, padded, i * width, of.length);
      }
      double[] all = block.allGather(Tensor.of(padded, padded.length)).toDoubles();
      for (int i = 0; i < stacks.length; i++) {
        double[] ofBlock = new double[block.size() * width];
        for (int rank = 0; rank < block.size(); rank++) {
          System.arraycopy(all, rank * padded.length + i * width, ofBlock, rank * width, width);
        }
        squares.set(stacks[i], ofBlock);
      }
    }
  }
}
