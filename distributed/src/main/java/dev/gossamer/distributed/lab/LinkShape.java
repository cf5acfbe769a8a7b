package dev.gossamer.distributed.lab;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How fast a link is, in each direction, and how it is held to that: a token bucket.
 *
 * @param bitsPerSecond the rate R; 0: not shaped, as fast as the machine copies
 */
public record LinkShape(long bitsPerSecond) {
  private static final long SLOWEST = 100_000;
  private static final long FASTEST = 100_000_000_000L;
  private static final long LEAST_BURST = 20_000;
  private static final long LEAST_QUEUE_MILLIS = 100;
  private static final long QUEUE_BYTES = 2_000_000;
  private static final String NONE = "none";
  private static final Pattern RATE = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,6})?)([kmg])bit");
  private static final Map<String, Double> UNITS = Map.of("k", 1e3, "m", 1e6, "g", 1e9);

  public LinkShape {
    if (bitsPerSecond != 0 && (bitsPerSecond < SLOWEST || bitsPerSecond > FASTEST)) {
      throw new UsageException(
          "A link of " + bitsPerSecond + " bit/s cannot be shaped",
          "Ask for 100kbit to 100gbit, or none");
    }
  }

  /**
   * @param rate as {@code tc} writes it, such as {@code 100mbit}; or {@code none}
   */
  public static LinkShape of(String rate) {
    String text = rate.strip().toLowerCase(Locale.ROOT);
    if (text.equals(NONE)) {
      return new LinkShape(0);
    }
    Matcher matcher = RATE.matcher(text);
    if (!matcher.matches()) {
      throw new UsageException(
          "'" + rate + "' is no rate of a link",
          "Write it as 500kbit, 100mbit or 1.5gbit, or none");
    }
    return new LinkShape(
        Math.round(Double.parseDouble(matcher.group(1)) * UNITS.get(matcher.group(2))));
  }

  /** The rate as {@link #of} reads it. */
  public String rate() {
    return isShaped() ? number(bitsPerSecond / 1e3) + "kbit" : NONE;
  }

  public boolean isShaped() {
    return bitsPerSecond > 0;
  }

  /** Bytes that may pass at once after a pause: max(20 kB, R · 10 ms). */
  public long burstBytes() {
    return Math.max(LEAST_BURST, bitsPerSecond / 8 / 100);
  }

  /**
   * How long a packet may wait before it is dropped: max(100 ms, 2 MB / R). A shorter queue drops
   * packets when all send to one, which costs an all-to-all 30 % at slow rates.
   */
  public long queueMillis() {
    return isShaped()
        ? Math.max(LEAST_QUEUE_MILLIS, Math.round(QUEUE_BYTES * 8e3 / bitsPerSecond))
        : LEAST_QUEUE_MILLIS;
  }

  @Override
  public String toString() {
    return isShaped()
        ? String.format(
            Locale.ROOT,
            "%s Mbit/s each way, burst %s kB, queue %d ms",
            number(bitsPerSecond / 1e6),
            number(burstBytes() / 1e3),
            queueMillis())
        : "not shaped";
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.3f", value).replaceAll("\\.?0+$", "");
  }
}
