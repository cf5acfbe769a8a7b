package dev.gossamer.lm;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;

/**
 * Keeps ranks in step of which the first has all the tokens: before each pass it says that one
 * begins, and every other rank then enters each layer of experts without tokens.
 */
final class ExpertLending {
  private final Communicator world;
  private final List<MoeLayer> layers;
  private final int hidden;
  private final DType dtype;
  private boolean leads;

  /**
   * @param layers of the model, in their order
   */
  ExpertLending(Communicator world, List<MoeLayer> layers, int hidden, DType dtype) {
    this.world = world;
    this.layers = layers;
    this.hidden = hidden;
    this.dtype = dtype;
  }

  /** Does the work on rank 0, and on the others what its passes ask of them. */
  void run(Runnable work) {
    if (world.size() > 1 && layers.isEmpty()) {
      throw new UsageException(
          "A model without experts has nothing to divide among " + world.size() + " ranks",
          "Use one rank");
    }
    if (world.rank() != 0) {
      lend();
      return;
    }
    leads = world.size() > 1;
    try {
      work.run();
    } catch (CommunicationException e) {
      leads = false; // the others will not hear of it
      throw e;
    } finally {
      if (leads) {
        say(false);
        leads = false;
      }
    }
  }

  /** Tells the others of a pass, if this rank leads. */
  void passBegins() {
    if (leads) {
      say(true);
    }
  }

  private void lend() {
    while (say(false)) {
      try (Scope scope = Scope.open()) {
        Tensor nothing = Tensor.empty(dtype, 0, hidden);
        layers.forEach(layer -> layer.forward(nothing));
      }
    }
  }

  /**
   * Says whether a pass begins, or hears it.
   *
   * @return what rank 0 says
   */
  private boolean say(boolean begins) {
    try (Scope scope = Scope.open()) {
      Tensor word = Tensor.of(new long[] {begins ? 1 : 0}, 1);
      world.broadcast(word, 0);
      return word.item() > 0;
    }
  }
}
