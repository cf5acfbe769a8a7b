package dev.gossamer.lm;

import java.util.List;

/**
 * What a micro-batch cost.
 *
 * @param crossEntropy sum over its tokens, in nats
 * @param tokens that had a next one to predict
 * @param auxiliary loss of the balance of experts, summed over layers
 * @param zLoss of the routers' logits, summed over layers
 * @param load of each layer with experts: slots that chose each expert, before capacity dropped any
 * @param dropped share of the slots that capacity dropped, mean over layers
 */
public record Losses(
    double crossEntropy,
    int tokens,
    double auxiliary,
    double zLoss,
    List<int[]> load,
    double dropped) {
  public Losses {
    load = List.copyOf(load);
  }
}
