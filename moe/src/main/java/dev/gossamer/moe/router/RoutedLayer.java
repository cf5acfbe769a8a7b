package dev.gossamer.moe.router;

/**
 * One layer of a run whose tokens are routed.
 *
 * @param name tells it from the other layers of the run, the same on all ranks
 * @param tokens of this rank
 * @param topK slots of a token
 * @param experts that there are to choose from
 */
public record RoutedLayer(String name, int tokens, int topK, int experts) {}
