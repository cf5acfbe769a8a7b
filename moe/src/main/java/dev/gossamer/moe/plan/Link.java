package dev.gossamer.moe.plan;

import dev.gossamer.tensor.failure.UsageException;

/**
 * A way between ranks.
 *
 * @param latencySeconds time of a message without content, seconds
 * @param bytesPerSecond in each direction, bytes per second
 * @param burstBytes of an exchange that pass at once, as a token bucket lets them
 */
public record Link(double latencySeconds, double bytesPerSecond, double burstBytes) {
  public Link {
    if (!(latencySeconds >= 0 && latencySeconds < 1)) {
      throw new UsageException("A link has a latency of " + latencySeconds + " s", "Use 0 to 1 s");
    }
    if (!(bytesPerSecond > 0)) {
      throw new UsageException(
          "A link carries " + bytesPerSecond + " bytes per second", "Use more than 0");
    }
    if (!(burstBytes >= 0)) {
      throw new UsageException("A link has a burst of " + burstBytes + " bytes", "Use 0 or more");
    }
  }

  /** One that carries its rate from the first byte on. */
  public Link(double latencySeconds, double bytesPerSecond) {
    this(latencySeconds, bytesPerSecond, 0);
  }

  /** Time of some messages with so many bytes together, beside their latencies. */
  public double transferSeconds(double bytes) {
    return Math.max(0, bytes - burstBytes) / bytesPerSecond;
  }

  /** The same link carrying {@code factor} times as much. */
  public Link faster(double factor) {
    return new Link(latencySeconds, bytesPerSecond * factor, burstBytes);
  }
}
