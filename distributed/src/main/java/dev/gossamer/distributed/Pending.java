package dev.gossamer.distributed;

/** An exchange under way. Its tensors must live, and must not be changed, until it has ended. */
@FunctionalInterface
public interface Pending {
  /** Nothing is left to wait for. */
  Pending DONE = () -> {};

  /**
   * Returns when this rank's part is complete.
   *
   * @throws CommunicationException if a peer failed or did not come in time
   */
  void await();
}
