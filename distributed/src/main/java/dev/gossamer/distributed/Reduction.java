package dev.gossamer.distributed;

/** How the ranks' numbers become one. */
public enum Reduction {
  SUM,
  MAXIMUM
}
