package dev.gossamer.lm;

import dev.gossamer.moe.Initialisation;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.Projection;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * Makes a model's parameters. Each is drawn by its own name, so that its numbers depend on nothing
 * else.
 *
 * @param seed of the run
 * @param dtype of matrices
 * @param device of all; numbers are drawn on the processor, so that they are the same everywhere
 * @param initialisation how wide they are drawn
 * @param microBatches whose gradients are kept apart; 0 for one sum
 * @param owner of the tensors
 */
record FreshWeights(
    long seed,
    DType dtype,
    Device device,
    Initialisation initialisation,
    int microBatches,
    Scope owner) {
  /** The type of what must not be rounded: norms, attention, logits. */
  static DType exact(DType dtype) {
    return dtype == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
  }

  Parameter table(String name, long rows, long width, double deviation) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.named(name, seed)) {
      Tensor drawn = generator.normal(rows, width).mul(deviation).to(dtype).to(device);
      return Parameter.of(name, drawn, false, microBatches, owner);
    }
  }

  Parameter constant(String name, double value, long width) {
    try (Scope scope = Scope.open()) {
      Tensor full = Tensor.full(value, exact(dtype), width).to(device);
      return Parameter.of(name, full, false, microBatches, owner);
    }
  }

  /** A matrix that reads the stream, or what another matrix made. */
  Projection reading(String name, long out, long in, boolean bias) {
    return projection(name, out, in, initialisation.ofInput(in), bias);
  }

  /** A matrix that writes to the stream. */
  Projection writing(String name, long out, long in) {
    return projection(name, out, in, initialisation.toStream(in), false);
  }

  private Projection projection(String name, long out, long in, double deviation, boolean bias) {
    try (Scope scope = Scope.open()) {
      Optional<Parameter> zero =
          bias
              ? Optional.of(
                  Parameter.of(
                      name + "_bias",
                      Tensor.zeros(dtype, out).to(device),
                      false,
                      microBatches,
                      owner))
              : Optional.empty();
      return new Projection(table(name, out, in, deviation), zero);
    }
  }
}
