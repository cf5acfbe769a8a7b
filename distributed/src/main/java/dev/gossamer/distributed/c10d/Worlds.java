package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.tensor.failure.EnvironmentException;

/**
 * Connects this process with the other ranks.
 *
 * <pre>{@code
 * Rendezvous here = Rendezvous.of(System.getenv(), Duration.ofSeconds(60));
 * try (Communicator world = Worlds.connect(here, Backend.GLOO)) {
 *   world.barrier();
 * }
 * }</pre>
 */
public final class Worlds {
  private Worlds() {}

  /**
   * Waits for all ranks and connects them. A world of one rank needs neither a network nor a
   * backend.
   *
   * @throws CommunicationException if a rank does not come, the port is taken, or the ranks
   *     disagree about who they are
   * @throws EnvironmentException if this machine lacks the backend or the network interface
   */
  public static Communicator connect(Rendezvous rendezvous, Backend backend) {
    if (backend == Backend.NCCL) {
      backend.demand(); // also of one rank, whose tensors are on its card
    }
    if (rendezvous.size() == 1) {
      return LocalRanks.alone();
    }
    return new Communicator(ProcessTransport.connect(rendezvous, backend));
  }
}
