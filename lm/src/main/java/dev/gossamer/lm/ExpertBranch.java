package dev.gossamer.lm;

import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.Choice;
import dev.gossamer.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * A mixture of experts as a branch of the stream.
 *
 * @param layer closed by whoever made it
 */
record ExpertBranch(MoeLayer layer) implements Branch {
  @Override
  public List<Parameter> parameters() {
    return layer.parameters();
  }

  @Override
  public Routed forward(Tensor x, Rows rows) {
    return new Routed(layer.forward(x, rows.batch(), Optional.empty()));
  }

  /** A pass that also knows where the tokens went. */
  record Routed(MoePass pass) implements Pass {
    Choice choice() {
      return pass.choice();
    }

    @Override
    public Tensor output() {
      return pass.output();
    }

    @Override
    public Tensor backward(Tensor ofOutput, double lossScale) {
      return pass.backward(ofOutput, lossScale);
    }
  }
}
