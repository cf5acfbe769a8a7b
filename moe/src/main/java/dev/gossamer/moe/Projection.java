package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A linear map that all tokens share, with its way back: BigMac's descent and ascent. */
record Projection(Parameter weight, Optional<Parameter> bias) {
  List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(weight));
    bias.ifPresent(all::add);
    return all;
  }

  Tensor forward(Tensor x) {
    return x.linear(weight.value(), bias.map(Parameter::value).orElse(null));
  }

  /** Adds the weights' gradients and returns the input's. */
  Tensor backward(Tensor x, Tensor ofOutput, int microBatch) {
    weight.gradientOf(microBatch).addMatmulInPlace(ofOutput.transpose(0, 1), x);
    bias.ifPresent(parameter -> parameter.add(ofOutput.sum(false, 0), microBatch));
    return ofOutput.matmul(weight.value());
  }
}
