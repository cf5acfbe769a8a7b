package dev.gossamer.lm.serve;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;

/**
 * Where a server listens, and to whom.
 *
 * @param host name or address of this machine at which it listens
 * @param port 0 for any that is free
 * @param token that clients have to send; empty if anyone may ask
 * @param maxBody bytes of a request at most
 */
public record ServerSettings(String host, int port, Optional<String> token, int maxBody) {
  /** Bytes of a request, unless said otherwise. */
  public static final int MAX_BODY = 2 << 20;

  /**
   * @throws UsageException if a value is out of its range
   */
  public ServerSettings {
    if (port < 0 || port > 65535) {
      throw new UsageException("There is no port " + port, "Use 0 to 65535");
    }
    if (maxBody < 1) {
      throw new UsageException("Requests of " + maxBody + " bytes", "Use 1 or more");
    }
    token.ifPresent(ServerSettings::requireToken);
  }

  private static void requireToken(String token) {
    if (token.isEmpty() || !token.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      throw new UsageException(
          "The token is empty, or has a space or a character beyond ASCII",
          "Use printable ASCII characters");
    }
  }
}
