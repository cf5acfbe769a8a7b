package dev.gossamer.moe.plan;

/** The structures that a plan compares. */
public enum StructureKind {
  VANILLA,
  FINE_GRAINED,
  BIGMAC
}
