package dev.gossamer.distributed.lab;

/** What has a shaped link of its own. */
public enum Layout {
  /** Each node: its ranks share one uplink, and reach each other over memory. */
  NODES,
  /** Each rank, as if it were alone on its node. */
  FLAT
}
