package dev.gossamer.lm.serve;

import dev.gossamer.tensor.failure.GossamerException;
import java.time.Duration;

/** An engine does not take a text now. */
public final class RefusedException extends GossamerException {
  private static final long serialVersionUID = 1L;

  /** Why not. */
  public enum Reason {
    /** As many as may wait are waiting. */
    FULL,
    /** It is about to end, or has failed. */
    ENDING
  }

  private final Reason reason;
  private final Duration again;

  /**
   * @param again after which time another attempt makes sense
   */
  RefusedException(Reason reason, String message, String remedy, Duration again) {
    super(message, remedy);
    this.reason = reason;
    this.again = again;
  }

  public Reason reason() {
    return reason;
  }

  public Duration again() {
    return again;
  }
}
