package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.distributed.RankEnvironment.Origin;
import dev.gossamer.tensor.failure.UsageException;
import java.time.Duration;
import java.util.Map;

/**
 * Where and how long the ranks of a world look for each other.
 *
 * @param ranks who this process is, and where rank 0 listens
 * @param timeout how long this rank waits for another, here and in every exchange
 * @param networkInterface through which the others reach this rank, for example {@code eth0}; empty
 *     for the one through which this rank reaches rank 0
 * @param attempt tells apart worlds that meet one after the other at the same register
 */
public record Rendezvous(
    RankEnvironment ranks, Duration timeout, String networkInterface, String attempt) {
  /** As Gloo under PyTorch calls it. */
  static final String INTERFACE_VARIABLE = "GLOO_SOCKET_IFNAME";

  private static final String ATTEMPT_VARIABLE = "TORCHELASTIC_RESTART_COUNT";

  public Rendezvous {
    if (timeout.toMillis() < 1 || timeout.toMillis() > Integer.MAX_VALUE) {
      throw new UsageException(
          "Ranks cannot wait " + timeout + " for each other", "Allow 1 ms to 24 days");
    }
  }

  /**
   * Reads the variables of a process.
   *
   * @param variables such as {@link System#getenv()}, with what options say put over them
   * @throws UsageException if they are half set or contradict each other
   */
  public static Rendezvous of(Map<String, String> variables, Duration timeout) {
    return new Rendezvous(
        RankEnvironment.of(variables),
        timeout,
        variables.getOrDefault(INTERFACE_VARIABLE, ""),
        variables.getOrDefault(ATTEMPT_VARIABLE, "0"));
  }

  int rank() {
    return ranks.rank();
  }

  int size() {
    return ranks.size();
  }

  int port() {
    return ranks.masterPort();
  }

  /** Rank 0 keeps the register, unless torchrun's agent does. */
  boolean rankZeroServes() {
    return ranks.origin() != Origin.TORCHRUN;
  }

  /** Whether this process keeps the register. */
  boolean serves() {
    return rank() == 0 && rankZeroServes();
  }

  @Override
  public String toString() {
    return ranks.masterAddress() + ":" + port();
  }
}
