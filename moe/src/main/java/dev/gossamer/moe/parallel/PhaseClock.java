package dev.gossamer.moe.parallel;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Where the time of a layer goes, on the thread that calls it. Adds up until it is cleared. On a
 * card a phase lasts until the card has done what it was asked: every phase waits for it.
 */
public final class PhaseClock {
  /** What a layer does. */
  public enum Phase {
    /** Gate, choice and the losses of balance. */
    ROUTE,
    /** BigMac's narrowing and widening. */
    PROJECT,
    /** Rows into the order of leaving, of experts, of slots. */
    PERMUTE,
    /** Waiting for rows and counts of other ranks. */
    EXCHANGE,
    /** Products of the experts that tokens are routed to; their threads gather the rows as well. */
    EXPERTS,
    /** The weighted sum of what experts gave, and its gradients. */
    COMBINE,
    /** The expert that all tokens visit. */
    SHARED
  }

  private final Map<Phase, Long> nanos = new EnumMap<>(Phase.class);
  private final Runnable done;

  private PhaseClock(Runnable done) {
    this.done = done;
  }

  /** For what computes on a device. */
  public static PhaseClock of(Device device) {
    return new PhaseClock(device.isCpu() ? () -> {} : () -> waitFor(device));
  }

  /** A number is there when all is done that the card was asked before. */
  private static void waitFor(Device card) {
    try (Scope scope = Scope.open()) {
      Tensor.empty(DType.FLOAT32, card, 1).fill(0).item();
    }
  }

  /** Does something and adds its time to a phase; phases do not nest. */
  public <T> T time(Phase phase, Supplier<T> work) {
    long start = System.nanoTime();
    try {
      T result = work.get();
      done.run();
      return result;
    } finally {
      nanos.merge(phase, System.nanoTime() - start, Long::sum);
    }
  }

  /** Seconds of a phase so far. */
  public double seconds(Phase phase) {
    return nanos.getOrDefault(phase, 0L) / 1e9;
  }

  public void clear() {
    nanos.clear();
  }
}
