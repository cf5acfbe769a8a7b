package dev.gossamer.bench.moe;

import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.router.RoutedLayer;

/**
 * One structure at one top-k.
 *
 * @param top experts per token of the fine-grained structure, by which the case is called
 * @param name of the structure
 * @param structure its shape, whose own top-k may differ
 */
record MoeCase(int top, String name, MoeStructure structure) {
  /** As a recorded routing names it. */
  RoutedLayer routed(int tokens) {
    return new RoutedLayer(
        "top-" + top + "." + name, tokens, structure.topK(), structure.experts());
  }
}
