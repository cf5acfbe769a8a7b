package dev.gossamer.distributed.c10d;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Locale;

/** What carries the exchanges between processes. */
public enum Backend {
  /** TCP, for tensors on the processor; Linux. */
  GLOO;

  /**
   * The backend that a person names on the command line.
   *
   * @param name {@code gloo}
   * @throws UsageException for any other name
   */
  public static Backend ofOption(String name) {
    if (name.toLowerCase(Locale.ROOT).equals("gloo")) {
      return GLOO;
    }
    throw new UsageException("Unknown backend '" + name + "'", "Use gloo");
  }
}
