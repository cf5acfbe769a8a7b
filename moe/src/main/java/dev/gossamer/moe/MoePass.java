package dev.gossamer.moe;

import dev.gossamer.moe.parallel.TokenDispatch;
import dev.gossamer.moe.router.Choice;
import dev.gossamer.tensor.Tensor;
import java.util.List;

/** One forward pass of a layer: its output, what it chose, and the way back. */
public final class MoePass {
  private final MoeLayer layer;
  private final Tensor x;
  private final Tensor z;
  private final Choice choice;
  private final int microBatch;
  private final List<TokenDispatch> ways;
  private final List<Experts.Saved> saved;
  private final Tensor combined;
  private final Tensor normed;
  private final SharedExpert.Pass ofShared;
  private final Tensor output;
  private boolean back;

  MoePass(
      MoeLayer layer,
      Tensor x,
      Tensor z,
      Choice choice,
      int microBatch,
      List<TokenDispatch> ways,
      List<Experts.Saved> saved,
      Tensor combined,
      Tensor normed,
      SharedExpert.Pass ofShared,
      Tensor output) {
    this.layer = layer;
    this.x = x;
    this.z = z;
    this.choice = choice;
    this.microBatch = microBatch;
    this.ways = ways;
    this.saved = saved;
    this.combined = combined;
    this.normed = normed;
    this.ofShared = ofShared;
    this.output = output;
  }

  /** {@code [tokens, hidden]}. */
  public Tensor output() {
    return output;
  }

  /** Where the tokens went, and the losses that keep experts evenly used. */
  public Choice choice() {
    return choice;
  }

  /**
   * Adds the gradients of all weights of this rank and returns the input's; once, as it takes up
   * what the pass has kept. With several ranks, those of the experts already hold what the tokens
   * of all ranks of the layer's group add.
   *
   * @param ofOutput {@code [tokens, hidden]}
   * @param lossScale factor on the gradients of the auxiliary and the z-loss
   * @return {@code [tokens, hidden]}, in the caller's scope
   * @throws IllegalStateException the second time
   */
  public Tensor backward(Tensor ofOutput, double lossScale) {
    if (back) {
      throw new IllegalStateException("A pass goes back only once");
    }
    back = true;
    return layer.backward(this, ofOutput, lossScale);
  }

  Tensor x() {
    return x;
  }

  Tensor z() {
    return z;
  }

  int microBatch() {
    return microBatch;
  }

  /** Of each part of the tokens. */
  List<TokenDispatch> ways() {
    return ways;
  }

  List<Experts.Saved> saved() {
    return saved;
  }

  Tensor combined() {
    return combined;
  }

  Tensor normed() {
    return normed;
  }

  SharedExpert.Pass ofShared() {
    return ofShared;
  }
}
