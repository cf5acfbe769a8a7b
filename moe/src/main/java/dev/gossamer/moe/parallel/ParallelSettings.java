package dev.gossamer.moe.parallel;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;

/**
 * How the ranks of a layer share its work.
 *
 * @param dispatch the ways between nodes
 * @param wire type of rows that travel; empty for the layer's own
 * @param chunks parts of the tokens that travel while others are computed
 * @param receiveLimit rows that a rank takes at once: where all tokens choose the same experts, a
 *     rank is told before its memory is full
 * @param elastic micro-batches of a rank and step whose gradients are kept apart, so that every
 *     number of ranks computes the same bits; 0 for ordinary sums. For audits: it costs that many
 *     times the gradients' memory
 */
public record ParallelSettings(
    Dispatch dispatch, Optional<DType> wire, int chunks, long receiveLimit, int elastic) {
  /** One all-to-all of the layer's own type at a time, ordinary sums. */
  public static final ParallelSettings DEFAULT =
      new ParallelSettings(Dispatch.FLAT, Optional.empty(), 1, Integer.MAX_VALUE, 0);

  /**
   * @throws UsageException if choices contradict each other
   */
  public ParallelSettings {
    require(
        wire.isEmpty() || wire.get().isFloating(),
        "rows of type " + wire.map(DType::name).orElse("") + " on the wire",
        "Use a floating type");
    require(chunks >= 1, chunks + " chunks", "Use 1 or more");
    require(receiveLimit >= 1, "a limit of " + receiveLimit + " rows", "Use 1 or more");
    require(elastic >= 0, elastic + " micro-batches a step", "Use 0 or more");
    require(
        elastic == 0 || dispatch != Dispatch.DEDUPLICATED,
        "the same bits on every number of ranks but sums inside of nodes",
        "Use the dispatch flat or two-level");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No mixture-of-experts layer has " + found, remedy);
    }
  }

  public ParallelSettings withDispatch(Dispatch value) {
    return new ParallelSettings(value, wire, chunks, receiveLimit, elastic);
  }

  public ParallelSettings withWire(DType value) {
    return new ParallelSettings(dispatch, Optional.of(value), chunks, receiveLimit, elastic);
  }

  public ParallelSettings withChunks(int value) {
    return new ParallelSettings(dispatch, wire, value, receiveLimit, elastic);
  }

  public ParallelSettings withReceiveLimit(long rows) {
    return new ParallelSettings(dispatch, wire, chunks, rows, elastic);
  }

  public ParallelSettings withElastic(int microBatches) {
    return new ParallelSettings(dispatch, wire, chunks, receiveLimit, microBatches);
  }
}
