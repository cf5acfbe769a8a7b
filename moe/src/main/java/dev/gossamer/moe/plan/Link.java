package dev.gossamer.moe.plan;

import dev.gossamer.tensor.failure.UsageException;

/**
 * A way between ranks.
 *
 * @param latencySeconds time of a message without content, seconds
 * @param bytesPerSecond in each direction, bytes per second
 */
public record Link(double latencySeconds, double bytesPerSecond) {
  public Link {
    if (!(latencySeconds >= 0 && latencySeconds < 1)) {
      throw new UsageException("A link has a latency of " + latencySeconds + " s", "Use 0 to 1 s");
    }
    if (!(bytesPerSecond > 0)) {
      throw new UsageException(
          "A link carries " + bytesPerSecond + " bytes per second", "Use more than 0");
    }
  }

  /** The same link carrying {@code factor} times as much. */
  public Link faster(double factor) {
    return new Link(latencySeconds, bytesPerSecond * factor);
  }
}
