package dev.gossamer.lm;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import java.util.function.Supplier;

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
  private CommunicationException lost; // why the others hear no more; null while they do

  /** What the first rank tells the others. */
  private enum Word {
    PASS,
    WAIT,
    END
  }

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
    } finally {
      if (leads) {
        say(Word.END);
        leads = false;
      }
    }
  }

  /**
   * Tells the others to wait for another pass, if this rank leads.
   *
   * @throws CommunicationException if they are lost, also if that was found out before
   */
  void reassure() {
    requireOthers();
    if (leads) {
      say(Word.WAIT);
    }
  }

  /**
   * Begins a pass of this rank, of which the others hear if it leads.
   *
   * @throws CommunicationException if they are lost, also if that was found out before
   */
  Pass pass() {
    requireOthers();
    if (leads) {
      say(Word.PASS);
    }
    return new Pass();
  }

  /**
   * One pass. The others go through all layers of it; if it fails before its end, closing it takes
   * them through those that are left.
   */
  final class Pass implements AutoCloseable {
    private int passed; // layers of experts

    private Pass() {}

    /**
     * Computes the next layer of experts.
     *
     * @throws CommunicationException if that fails where the others wait for this rank
     */
    <T> T through(Supplier<T> layer) {
      long before = world.exchanges();
      try {
        T result = layer.get();
        passed++;
        return result;
      } catch (RuntimeException | Error e) {
        if (leads && world.exchanges() > before) {
          throw lost(e);
        }
        throw e;
      }
    }

    @Override
    public void close() {
      if (leads) {
        tell(() -> layers.subList(passed, layers.size()).forEach(ExpertLending.this::lend));
      }
    }
  }

  /** What the others can no longer be told of. */
  private CommunicationException lost(Throwable failure) {
    leads = false;
    lost =
        failure instanceof CommunicationException known
            ? known
            : new CommunicationException(
                "Rank 0 failed while the others waited for its rows: " + failure.getMessage(),
                "See what it lacked",
                failure);
    return lost;
  }

  /** What failed in a pass may have hidden that the others were lost when it was closed. */
  private void requireOthers() {
    if (lost != null) {
      throw lost;
    }
  }

  private void lend() {
    for (Word word = hear(); word != Word.END; word = hear()) {
      if (word == Word.PASS) {
        layers.forEach(this::lend);
      }
    }
  }

  private void lend(MoeLayer layer) {
    try (Scope scope = Scope.open()) {
      layer.forward(Tensor.empty(dtype, layer.device(), 0, hidden));
    }
  }

  private void say(Word word) {
    tell(() -> exchange(word));
  }

  private void tell(Runnable exchange) {
    try {
      exchange.run();
    } catch (RuntimeException | Error e) {
      throw lost(e); // who knows how far it came
    }
  }

  private Word hear() {
    return exchange(Word.END);
  }

  /**
   * @return what rank 0 says
   */
  private Word exchange(Word own) {
    try (Scope scope = Scope.open()) {
      Tensor word = Tensor.of(new long[] {own.ordinal()}, 1);
      world.broadcast(word, 0);
      return Word.values()[(int) word.item()];
    }
  }
}
