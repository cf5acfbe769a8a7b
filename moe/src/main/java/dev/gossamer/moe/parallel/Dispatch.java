package dev.gossamer.moe.parallel;

/** How rows find their way to experts on other ranks. */
public enum Dispatch {
  /** One all-to-all over all ranks: a message for every other rank. */
  FLAT,
  /** First inside the nodes, then between ranks of equal place: the same bytes, fewer messages. */
  TWO_LEVEL,
  /** A token goes once to each node that holds one of its experts, and is copied there. */
  DEDUPLICATED
}
