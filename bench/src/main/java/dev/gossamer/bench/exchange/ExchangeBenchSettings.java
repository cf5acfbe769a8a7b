package dev.gossamer.bench.exchange;

import dev.gossamer.distributed.lab.LinkShape;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;

/**
 * What {@link ExchangeBench} measures.
 *
 * @param sizes bytes that each rank holds before an exchange, its own share included; one case each
 * @param ranksPerNode neighbours that share a node and its link
 * @param line what a node's link carries in each direction; not shaped: unknown
 * @param runs measurements of each way
 * @param seconds that a measurement lasts at least: so many exchanges follow each other in it
 */
public record ExchangeBenchSettings(
    List<Long> sizes, int ranksPerNode, LinkShape line, int runs, double seconds) {
  /** 64 KiB, 1 MiB and 8 MiB; half a second, of which a lab's burst is two hundredths. */
  public static final ExchangeBenchSettings DEFAULT =
      new ExchangeBenchSettings(
          List.of(64L << 10, 1L << 20, 8L << 20), 1, LinkShape.of("none"), 5, 0.5);

  /** A rank's memory holds an exchange three times over. */
  private static final long LARGEST = 1L << 30;

  /**
   * @throws UsageException if there is nothing to measure
   */
  public ExchangeBenchSettings {
    sizes = List.copyOf(sizes);
    if (sizes.isEmpty() || sizes.stream().anyMatch(size -> size < 1 || size > LARGEST)) {
      throw new UsageException("Cannot exchange " + sizes + " bytes", "Use 1 byte to 1 GiB");
    }
    if (runs < 1 || ranksPerNode < 1 || !(seconds >= 0 && seconds <= 60)) {
      throw new UsageException(
          "Nothing to measure: "
              + runs
              + " runs of "
              + seconds
              + " s, "
              + ranksPerNode
              + " ranks per node",
          "Use at least one of each, and 0 to 60 s");
    }
  }

  public ExchangeBenchSettings withSizes(List<Long> bytes) {
    return new ExchangeBenchSettings(bytes, ranksPerNode, line, runs, seconds);
  }

  public ExchangeBenchSettings withNodes(int perNode, LinkShape link) {
    return new ExchangeBenchSettings(sizes, perNode, link, runs, seconds);
  }

  public ExchangeBenchSettings withRuns(int count, double least) {
    return new ExchangeBenchSettings(sizes, ranksPerNode, line, count, least);
  }
}
