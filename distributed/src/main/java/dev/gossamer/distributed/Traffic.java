package dev.gossamer.distributed;

import java.util.Arrays;

/**
 * Bytes that a rank has sent to each rank of its group in all-to-all exchanges, counted from the
 * split sizes: payload alone, no headers. What it keeps for itself stands at its own index and
 * never touches a wire.
 *
 * @param rank whose bytes these are
 * @param sent bytes by receiving rank
 */
public record Traffic(int rank, long[] sent) {
  public Traffic {
    sent = sent.clone();
  }

  @Override
  public long[] sent() {
    return sent.clone();
  }

  /** Bytes that left this rank. */
  public long remoteBytes() {
    return Arrays.stream(sent).sum() - sent[rank];
  }

  /**
   * Bytes that left this rank's node.
   *
   * @param ranksPerNode ranks of a node, neighbours in the order of ranks
   */
  public long bytesBetweenNodes(int ranksPerNode) {
    long bytes = 0;
    for (int peer = 0; peer < sent.length; peer++) {
      bytes += peer / ranksPerNode == rank / ranksPerNode ? 0 : sent[peer];
    }
    return bytes;
  }

  /** What was sent since an earlier look. */
  public Traffic since(Traffic before) {
    long[] difference = sent.clone();
    for (int peer = 0; peer < sent.length; peer++) {
      difference[peer] -= before.sent[peer];
    }
    return new Traffic(rank, difference);
  }
}
